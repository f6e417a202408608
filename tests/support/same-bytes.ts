import { expect } from 'vitest';
import { prepareInteger } from '../../converter/evaluate/integer.ts';
import { elementCount } from '../../converter/ir/tensor.ts';
import type { Graph, TensorData } from '../../converter/ir/types.ts';
import { verify } from '../../converter/ir/verify.ts';
import { opOf } from '../../converter/ops/index.ts';
import { opRules } from '../../converter/ops/rules.ts';
import { randomFloats } from './graphs.ts';

/** Multiply-accumulates of all layers. */
export function macsOf(graph: Graph): number {
  const type = (name: string) => graph.values.get(name)!.type;
  return graph.nodes.reduce((sum, node) => {
    return sum + (opOf(node.op).macs?.(node.inputs.map(type), node.outputs.map(type), node.attrs) ?? 0);
  }, 0);
}

function randomInput(count: number, seed: number): Int8Array {
  return Int8Array.from(randomFloats(count, seed), (value) => value * 128);
}

/** Two int8 graphs give the same bytes for random inputs; the second is legal. */
export function sameBytes(before: Graph, after: Graph, samples: number): void {
  verify(after, 'quantized', opRules);
  const [a, b] = [prepareInteger(before), prepareInteger(after)];
  for (let seed = 1; seed <= samples; seed++) {
    const inputs = before.inputs.map((port) => randomInput(elementCount(port.shape), seed));
    const expected: TensorData[] = a.run(inputs);
    expect(b.run(inputs)).toEqual(expected);
  }
}
