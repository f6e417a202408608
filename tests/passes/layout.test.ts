import { describe, expect, it } from 'vitest';
import { evaluateFloat } from '../../converter/evaluate/float.ts';
import { elementCount } from '../../converter/ir/tensor.ts';
import type { Graph } from '../../converter/ir/types.ts';
import { transposesLeft } from '../../converter/passes/simplify-layout.ts';
import { optimize } from '../../converter/pipeline.ts';
import { GraphBuilder, randomFloats } from '../support/graphs.ts';

async function sameResults(before: Graph, after: Graph): Promise<void> {
  const count = 3;
  const inputs = before.inputs.map((port, i) => randomFloats(count * elementCount(port.shape), 70 + i));
  const expected = await evaluateFloat(before, inputs, count);
  const actual = await evaluateFloat(after, inputs, count);
  for (const [i, output] of expected.entries()) {
    expect(actual[i]!.length).toBe(output.length);
    for (let k = 0; k < output.length; k++) expect(actual[i]![k]!).toBeCloseTo(output[k]!, 3);
  }
}

async function optimized(graph: Graph): Promise<Graph> {
  const after = optimize(graph);
  await sameResults(graph, after);
  return after;
}

const ops = (graph: Graph) => graph.nodes.map((node) => node.op);

describe('the layout of a channels-first network', () => {
  it('needs no transposes along a chain, and the input port remembers the order', async () => {
    const b = new GraphBuilder();
    const x = b.input('image', [1, 3, 8, 6]);
    const c = b.node('relu', [b.convChannelsFirst(x, 3, 4, 3, 1)]);
    const after = await optimized(b.finish(b.convChannelsFirst(c, 4, 2, 3)));
    expect(ops(after)).toEqual(['conv2d', 'conv2d']);
    expect(after.inputs[0]).toMatchObject({ name: 'image', shape: [1, 3, 8, 6], perm: [0, 2, 3, 1] });
    expect(after.outputs[0]).toMatchObject({ shape: [1, 2, 6, 4], perm: [0, 2, 3, 1] });
  });

  it('passes through residual sums, batch norm constants, concatenation on channels and reductions', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', [1, 4, 6, 5]);
    const a = b.convChannelsFirst(x, 4, 4, 3, 1);
    const scaled = b.node('mul', [a, b.constant([1, 4, 1, 1])], { activation: 'none' });
    const shifted = b.node('add', [scaled, b.constant([4, 1, 1])], { activation: 'none' });
    const sum = b.node('add', [b.node('relu', [shifted]), b.convChannelsFirst(x, 4, 4, 1)], {
      activation: 'none',
    });
    const joined = b.node('concatenation', [sum, b.convChannelsFirst(sum, 4, 2, 3, 1)], { axis: 1 });
    const mean = b.node('mean', [joined], { axes: [2, 3], keepDims: false });
    const after = await optimized(
      b.finish(b.node('fullyConnected', [mean, b.constant([5, 6]), b.constant([5])], { activation: 'none' })),
    );
    expect(transposesLeft(after)).toBe(0);
    expect(ops(after)).not.toContain('mul');
  });

  it('goes into the weights of a fully connected layer behind a flatten', async () => {
    const b = new GraphBuilder();
    const conv = b.convChannelsFirst(b.input('x', [1, 2, 5, 4]), 2, 3, 3);
    const flat = b.node('reshape', [b.node('relu', [conv])], { shape: [1, 18] });
    const after = await optimized(
      b.finish(
        b.node('fullyConnected', [flat, b.constant([7, 18]), b.constant([7])], { activation: 'none' }),
      ),
    );
    expect(ops(after)).toEqual(['conv2d', 'reshape', 'fullyConnected']);
  });

  it('goes into the weights of a fully connected layer in front of an unflatten', async () => {
    const b = new GraphBuilder();
    const dense = b.node('fullyConnected', [b.input('z', [1, 5]), b.constant([24, 5]), b.constant([24])], {
      activation: 'none',
    });
    const image = b.node('reshape', [b.node('relu', [dense])], { shape: [1, 2, 4, 3] });
    const after = await optimized(b.finish(b.convChannelsFirst(image, 2, 3, 3, 1)));
    expect(ops(after)).toEqual(['fullyConnected', 'reshape', 'conv2d']);
  });

  it('passes through squeezed one-dimensional convolutions', async () => {
    const b = new GraphBuilder();
    const x = b.input('signal', [1, 3, 16]);
    const wide = b.node('reshape', [x], { shape: [1, 3, 1, 16] });
    const conv = b.node('reshape', [b.convChannelsFirst(wide, 3, 4, 1)], { shape: [1, 4, 16] });
    const scaled = b.node('mul', [conv, b.constant([1, 4, 1])], { activation: 'none' });
    const again = b.node('reshape', [b.node('elu', [scaled])], { shape: [1, 4, 1, 16] });
    const after = await optimized(
      b.finish(b.node('reshape', [b.convChannelsFirst(again, 4, 2, 1)], { shape: [1, 2, 16] })),
    );
    expect(ops(after)).toEqual(['conv2d', 'elu', 'conv2d']);
  });

  it('passes through a squeeze-and-excitation gate', async () => {
    const b = new GraphBuilder();
    const x = b.convChannelsFirst(b.input('x', [1, 3, 6, 6]), 3, 4, 3, 1);
    const pooled = b.node('reshape', [b.node('mean', [x], { axes: [2, 3], keepDims: true })], {
      shape: [1, 4],
    });
    const gate = b.node('logistic', [
      b.node('fullyConnected', [pooled, b.constant([4, 4]), b.constant([4])], { activation: 'none' }),
    ]);
    const gated = b.node('mul', [x, b.node('reshape', [gate], { shape: [1, 4, 1, 1] })], {
      activation: 'none',
    });
    const after = await optimized(b.finish(b.convChannelsFirst(gated, 4, 2, 1)));
    expect(transposesLeft(after)).toBe(0);
  });

  it('moves above a border at the input, so that the convolution takes it', async () => {
    const b = new GraphBuilder();
    const padded = b.node('pad', [b.input('x', [1, 2, 6, 5])], { pads: [0, 0, 0, 0, 1, 2, 0, 1], value: 0 });
    const after = await optimized(b.finish(b.convChannelsFirst(padded, 2, 3, 3)));
    expect(ops(after)).toEqual(['conv2d']);
    expect(after.nodes[0]!.attrs['pads']).toEqual([1, 0, 2, 1]);
  });

  it('drops the axes that a reduction kept only for a reshape', async () => {
    const b = new GraphBuilder();
    const mean = b.node('mean', [b.input('x', [1, 3, 3, 4])], { axes: [1, 2], keepDims: true });
    const after = await optimized(b.finish(b.node('reshape', [mean], { shape: [1, 4] })));
    expect(after.nodes).toMatchObject([{ op: 'mean', attrs: { keepDims: false } }]);
  });

  it('keeps and counts a transpose that is real', async () => {
    const b = new GraphBuilder();
    const conv = b.convChannelsFirst(b.input('x', [1, 2, 4, 4]), 2, 3, 1);
    const mixed = b.node('reshape', [conv], { shape: [1, 2, 24] });
    const after = await optimized(b.finish(b.node('softmax', [mixed], { beta: 1 })));
    expect(transposesLeft(after)).toBe(1);
  });
});

describe('fusing', () => {
  it('takes a border of zeros into the convolution, and leaves other borders', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', [1, 5, 5, 2]);
    const attrs = { strides: [2, 2], dilations: [1, 1], pads: [0, 0, 0, 0], activation: 'none' };
    const padded = b.node('pad', [x], { pads: [0, 0, 1, 1, 0, 1, 0, 0], value: 0 });
    const conv = b.node('conv2d', [padded, b.constant([3, 3, 3, 2]), b.constant([3])], attrs);
    const other = b.node('pad', [conv], { pads: [0, 0, 1, 1, 1, 1, 0, 0], value: 0.5 });
    const after = await optimized(
      b.finish(b.node('conv2d', [other, b.constant([2, 3, 3, 3]), b.constant([2])], attrs)),
    );
    expect(ops(after)).toEqual(['conv2d', 'pad', 'conv2d']);
    expect(after.nodes[0]!.attrs['pads']).toEqual([1, 0, 1, 1]);
  });

  it('does not fold an offset across padding', async () => {
    const b = new GraphBuilder();
    const shifted = b.node('add', [b.input('x', [1, 5, 5, 2]), b.constant([2], [1, -2])], {
      activation: 'none',
    });
    const attrs = { strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1], activation: 'none' };
    const after = await optimized(
      b.finish(b.node('conv2d', [shifted, b.constant([3, 3, 3, 2]), b.constant([3])], attrs)),
    );
    expect(ops(after)).toEqual(['add', 'conv2d']);
  });

  it('folds input normalization into an unpadded convolution', async () => {
    const b = new GraphBuilder();
    const centred = b.node('sub', [b.input('x', [1, 5, 5, 2]), b.constant([2], [0.4, 0.1])], {
      activation: 'none',
    });
    const normal = b.node('div', [centred, b.constant([2], [0.5, 0.25])], { activation: 'none' });
    const attrs = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], activation: 'none' };
    const after = await optimized(
      b.finish(b.node('conv2d', [normal, b.constant([3, 3, 3, 2]), b.constant([3])], attrs)),
    );
    expect(ops(after)).toEqual(['conv2d']);
  });

  it('does not fuse an activation whose input is read elsewhere', async () => {
    const b = new GraphBuilder();
    const sum = b.node('add', [b.input('x', [1, 4]), b.input('y', [1, 4])], { activation: 'none' });
    const after = await optimized(
      b.finish(b.node('mul', [sum, b.node('relu', [sum])], { activation: 'none' })),
    );
    expect(ops(after)).toEqual(['add', 'relu', 'mul']);
  });
});
