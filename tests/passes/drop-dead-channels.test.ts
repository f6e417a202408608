import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { prepareInteger } from '../../converter/evaluate/integer.ts';
import { importModel } from '../../converter/import-model.ts';
import { elementCount } from '../../converter/ir/tensor.ts';
import type { Graph, TensorData } from '../../converter/ir/types.ts';
import { verify } from '../../converter/ir/verify.ts';
import { opOf } from '../../converter/ops/index.ts';
import { opRules } from '../../converter/ops/rules.ts';
import { dropDeadChannels } from '../../converter/passes/drop-dead-channels.ts';
import { calibrate } from '../../converter/quant/calibrate.ts';
import { quantizeGraph } from '../../converter/quant/quantize-graph.ts';
import { GraphBuilder, randomFloats } from '../support/graphs.ts';

function macsOf(graph: Graph): number {
  const type = (name: string) => graph.values.get(name)!.type;
  return graph.nodes.reduce((sum, node) => {
    return sum + (opOf(node.op).macs?.(node.inputs.map(type), node.outputs.map(type), node.attrs) ?? 0);
  }, 0);
}

function randomInput(count: number, seed: number): Int8Array {
  return Int8Array.from(randomFloats(count, seed), (value) => value * 128);
}

function sameBytes(before: Graph, after: Graph, samples: number): void {
  verify(after, 'quantized', opRules);
  const [a, b] = [prepareInteger(before), prepareInteger(after)];
  for (let seed = 1; seed <= samples; seed++) {
    const inputs = before.inputs.map((port) => randomInput(elementCount(port.shape), seed));
    const expected: TensorData[] = a.run(inputs);
    expect(b.run(inputs)).toEqual(expected);
  }
}

/** Weights with some channels of the last or first axis silenced. */
function silenced(count: number, seed: number, isDead: (index: number) => boolean): Float32Array {
  return randomFloats(count, seed).map((value, i) => (isDead(i) ? 0 : value));
}

async function separable(dead: number[], bias: number, activation: string, pads: number[]): Promise<Graph> {
  const b = new GraphBuilder();
  const x = b.input('x', [1, 6, 5, 3]);
  const conv = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], activation };
  const isDead = (filter: number) => dead.includes(filter);
  const first = b.constant(
    [8, 1, 1, 3],
    silenced(24, 5, (i) => isDead(Math.floor(i / 3))),
  );
  const offsets = Float32Array.from({ length: 8 }, (_, filter) => (isDead(filter) ? bias : 0.1));
  const wide = b.node('conv2d', [x, first, b.constant([8], offsets)], conv);
  const deep = b.node('depthwiseConv2d', [wide, b.constant([1, 3, 3, 8]), b.constant([8])], {
    ...conv,
    pads,
  });
  const narrow = b.node('conv2d', [deep, b.constant([4, 1, 1, 8]), b.constant([4])], {
    ...conv,
    activation: 'none',
  });
  const graph = b.finish(narrow);
  const ranges = await calibrate(graph, [randomFloats(90 * 8, 2)], 8, 'minmax');
  return quantizeGraph(graph, ranges, { perChannelFullyConnected: true });
}

describe('channels that hold one constant', () => {
  it('are left out through a separable convolution when the constant is the zero point', async () => {
    const graph = await separable([1, 6], -0.5, 'relu', [1, 1, 1, 1]);
    const after = dropDeadChannels(graph);
    expect(after.nodes.map((node) => after.values.get(node.outputs[0]!)!.type.shape[3])).toEqual([6, 6, 4]);
    sameBytes(graph, after, 8);
  });

  it('are left out with their share in the bias when nothing is padded', async () => {
    const graph = await separable([0, 3], 0.7, 'relu', [0, 0, 0, 0]);
    const after = dropDeadChannels(graph);
    expect(macsOf(after)).toBeLessThan(macsOf(graph));
    sameBytes(graph, after, 8);
  });

  it('are kept where padding of another value meets them', async () => {
    const graph = await separable([0, 3], 0.7, 'relu', [1, 1, 1, 1]);
    expect(dropDeadChannels(graph)).toBe(graph);
  });

  it('are kept where a depthwise convolution without clamp would round otherwise', async () => {
    const graph = await separable([0, 3], -0.5, 'none', [0, 0, 0, 0]);
    expect(dropDeadChannels(graph)).toBe(graph);
  });

  it('leave one channel when all are dead', async () => {
    const graph = await separable([0, 1, 2, 3, 4, 5, 6, 7], -0.5, 'relu', [1, 1, 1, 1]);
    const after = dropDeadChannels(graph);
    expect(after.values.get(after.nodes[0]!.outputs[0]!)!.type.shape[3]).toBe(1);
    sameBytes(graph, after, 4);
  });
});

const model = '../shared/models/vww_int8.tflite';
it.skipIf(!existsSync(model))('halve the work of the visual wake words network (needs ../shared)', () => {
  const { graph } = importModel(readFileSync(model), { fileName: model });
  const after = dropDeadChannels(graph);
  expect(macsOf(graph)).toBe(7_489_664);
  expect(macsOf(after)).toBeLessThan(3_900_000);
  sameBytes(graph, after, 2);
});
