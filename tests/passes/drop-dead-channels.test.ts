import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { importModel } from '../../converter/import-model.ts';
import type { Graph } from '../../converter/ir/types.ts';
import { channelRanges, constantOf } from '../../converter/passes/channel-ranges.ts';
import { dropDeadChannels } from '../../converter/passes/drop-dead-channels.ts';
import { calibrate } from '../../converter/quant/calibrate.ts';
import { quantizeGraph } from '../../converter/quant/quantize-graph.ts';
import { GraphBuilder, randomFloats } from '../support/graphs.ts';
import { macsOf, sameBytes } from '../support/same-bytes.ts';

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
  const constant = [...channelRanges(after).values()].flatMap((ranges) =>
    [...ranges.low.keys()].filter((channel) => constantOf(ranges, channel) !== null),
  );
  expect(constant, 'channels that padding of another value keeps').toEqual([]);
});
