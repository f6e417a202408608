import { expect, it } from 'vitest';
import type { Graph, TensorData, Value } from '../../converter/ir/types.ts';
import { mergeDuplicateChannels } from '../../converter/passes/merge-duplicate-channels.ts';
import { Random } from '../kernels/problems.ts';
import { macsOf, sameBytes } from '../support/same-bytes.ts';

const relu = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], activation: 'relu' };
const padded = { ...relu, pads: [1, 1, 1, 1] };

interface Options {
  /** Filters of the first and second layer that are copies of another one. */
  readonly copies: ReadonlyMap<number, number>;
  readonly deepCopies?: ReadonlyMap<number, number>;
  /** Largest weight of the layers that read copies. */
  readonly largest: number;
  /** Bias of one copy that differs. */
  readonly otherBias?: number;
  readonly activation?: string;
}

/** A 3x3 convolution with padding, a depthwise one, and a pointwise one; copies of filters in the first two. */
function network({ copies, deepCopies = copies, largest, otherBias, activation = 'relu' }: Options): Graph {
  const random = new Random(31);
  const values = new Map<string, Value>();
  const add = (name: string, shape: number[], scale: number[], zeroPoint: number, data?: TensorData) =>
    values.set(name, {
      name,
      type: {
        dtype: data instanceof Int32Array ? 'int32' : 'int8',
        shape,
        quant: { scale, zeroPoint: [zeroPoint] },
      },
      ...(data ? { data } : {}),
    });
  const weights = (count: number, limit: number) =>
    Int8Array.from({ length: count }, () => random.integer(-limit, limit));
  const bias = (count: number) => Int32Array.from({ length: count }, () => random.integer(-500, 500));
  const copy = (
    data: TensorData,
    of: (filter: number, i: number) => number,
    each: number,
    from: typeof copies,
  ) => {
    for (const [to, source] of from) for (let i = 0; i < each; i++) data[of(to, i)] = data[of(source, i)]!;
  };
  const filters = 6;
  const [w0, b0] = [weights(filters * 27, 100), bias(filters)];
  copy(w0, (filter, i) => filter * 27 + i, 27, copies);
  copy(b0, (filter) => filter, 1, copies);
  if (otherBias !== undefined) b0[[...copies.keys()][0]!]! += otherBias;
  const [w1, b1] = [weights(9 * filters, 100), bias(filters)];
  copy(w1, (filter, tap) => tap * filters + filter, 9, deepCopies);
  copy(b1, (filter) => filter, 1, deepCopies);
  add('x', [1, 5, 6, 3], [0.02], 5);
  add('w0', [filters, 3, 3, 3], [0.004], 0, w0);
  add('b0', [filters], [0.00008], 0, b0);
  add('y0', [1, 5, 6, filters], [0.05], -128);
  add('w1', [1, 3, 3, filters], [0.005], 0, w1);
  add('b1', [filters], [0.00025], 0, b1);
  add('y1', [1, 5, 6, filters], [0.08], -128);
  add('w2', [4, 1, 1, filters], [0.01], 0, weights(4 * filters, largest));
  add('b2', [4], [0.0008], 0, bias(4));
  add('y2', [1, 5, 6, 4], [0.1], 3);
  const port = (name: string) => ({ name, value: name, shape: values.get(name)!.type.shape });
  const node = (op: string, i: number, attrs: object) => ({
    op,
    inputs: [i === 0 ? 'x' : `y${i - 1}`, `w${i}`, `b${i}`],
    outputs: [`y${i}`],
    attrs: attrs as typeof relu,
    origin: `layer ${i}`,
  });
  return {
    name: 'copies',
    values,
    nodes: [
      node('conv2d', 0, padded),
      node('depthwiseConv2d', 1, { ...padded, activation }),
      node('conv2d', 2, { ...relu, activation: 'none' }),
    ],
    inputs: [port('x')],
    outputs: [port('y2')],
  };
}

const widths = (graph: Graph) =>
  graph.nodes.map(({ outputs }) => graph.values.get(outputs[0]!)!.type.shape[3]);
const copies = new Map([
  [2, 0],
  [5, 0],
  [4, 3],
]);

it('channels that hold the same are computed once, through a depthwise convolution', () => {
  const graph = network({ copies, largest: 42 });
  const after = mergeDuplicateChannels(graph);
  expect(widths(after)).toEqual([3, 3, 4]);
  expect(macsOf(after)).toBeLessThan(0.6 * macsOf(graph));
  sameBytes(graph, after, 6);
});

it('copies stay where the depthwise filters behind them differ', () => {
  const graph = network({ copies, deepCopies: new Map([[5, 0]]), largest: 60 });
  const after = mergeDuplicateChannels(graph);
  expect(widths(after)).toEqual([5, 5, 4]);
  sameBytes(graph, after, 6);
});

it('copies stay whose weights do not add up within int8', () => {
  const graph = network({ copies: new Map([[1, 0]]), largest: 60 });
  const reader = graph.values.get('w2')!.data as Int8Array;
  reader[0] = 100;
  reader[1] = 27;
  expect(widths(mergeDuplicateChannels(graph))).toEqual([5, 5, 4]);
  sameBytes(graph, mergeDuplicateChannels(graph), 4);
  reader[1] = 28;
  expect(mergeDuplicateChannels(graph)).toBe(graph);
});

it('channels with another bias are no copies', () => {
  const graph = network({ copies: new Map([[1, 0]]), largest: 40, otherBias: 1 });
  expect(mergeDuplicateChannels(graph)).toBe(graph);
});

it('copies stay where a depthwise convolution without clamp would round otherwise', () => {
  const graph = network({ copies, largest: 40, activation: 'none' });
  expect(mergeDuplicateChannels(graph)).toBe(graph);
});
