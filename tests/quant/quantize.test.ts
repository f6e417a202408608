import { describe, expect, it } from 'vitest';
import { verify } from '../../converter/ir/verify.ts';
import { opRules } from '../../converter/ops/rules.ts';
import { calibrate } from '../../converter/quant/calibrate.ts';
import { chooseRange } from '../../converter/quant/choose-range.ts';
import { addToHistogram } from '../../converter/quant/histogram.ts';
import { quantizeGraph } from '../../converter/quant/quantize-graph.ts';
import { activationQuantization, quantizeToInt8, quantizeWeights } from '../../converter/quant/scheme.ts';
import { GraphBuilder, randomFloats } from '../support/graphs.ts';

const value = (shape: number[], data: number[]) => ({
  name: 'v',
  type: { dtype: 'float32' as const, shape },
  data: Float32Array.from(data),
});

describe('ranges', () => {
  it('keeps exact ends however the values arrive', () => {
    let histogram = addToHistogram(undefined, Float32Array.from([0.5, 1]));
    histogram = addToHistogram(histogram, Float32Array.from([-3, 2]));
    expect(histogram).toMatchObject({ min: -3, max: 2 });
    expect(histogram.counts.reduce((a, b) => a + b)).toBe(4);
    expect(chooseRange(histogram, 'minmax')).toEqual({ min: -3, max: 2 });
  });

  it('always holds zero', () => {
    const histogram = addToHistogram(undefined, Float32Array.from([5, 6]));
    for (const method of ['minmax', 'percentile', 'mse'] as const)
      expect(chooseRange(histogram, method).min).toBeLessThanOrEqual(0);
  });

  it('lets one outlier among many go with percentile and mse, not with minmax', () => {
    const data = Float32Array.from(randomFloats(300_000, 3));
    data[17] = 40;
    const histogram = addToHistogram(undefined, data);
    expect(chooseRange(histogram, 'minmax').max).toBe(40);
    expect(chooseRange(histogram, 'percentile').max).toBeLessThan(2);
    expect(chooseRange(histogram, 'mse').max).toBeLessThan(35);
  });
});

describe('schemes', () => {
  it('stores zero exactly and reaches both ends', () => {
    const quant = activationQuantization({ min: -1, max: 3 });
    expect(Array.from(quantizeToInt8([-1, 0, 3], quant))).toEqual([-128, quant.zeroPoint[0], 127]);
    expect(Math.fround(quant.scale[0]!)).toBe(quant.scale[0]);
  });

  it('gives each channel its own scale and never stores -128', () => {
    const made = quantizeWeights(value([2, 2], [-1, 0.5, 100, -100]), value([2], [1, 1]), 0.5, 0, true);
    expect(made.weights.type.quant).toMatchObject({ axis: 0, zeroPoint: [0, 0] });
    expect(Array.from(made.weights.data)).toEqual([-127, 64, 127, -127]);
    expect(Array.from(made.bias.data, Number)).toEqual([Math.round(1 / (0.5 * Math.fround(1 / 127))), 3]);
  });

  it('widens a weight scale whose bias would overflow', () => {
    const made = quantizeWeights(value([1, 1], [1e-9]), value([1], [1000]), 1e-3, 0, true);
    expect(made.bias.data[0]).toBeLessThanOrEqual(2 ** 31 - 1);
    expect(made.bias.data[0]).toBeGreaterThan(2 ** 31 - 1000);
  });
});

describe('quantizing a graph', () => {
  it('shares scales where an operator needs that, without a requantization when the producer is free', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', [1, 4, 4, 2]);
    const attrs = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], activation: 'none' };
    const conv = () => b.node('conv2d', [x, b.constant([3, 1, 1, 2]), b.constant([3])], attrs);
    const graph = b.finish(b.node('concatenation', [conv(), conv(), x], { axis: 3 }));
    const ranges = await calibrate(graph, [randomFloats(4 * 32, 9)], 4, 'minmax');
    const quantized = quantizeGraph(graph, ranges, { perChannelFullyConnected: true });
    verify(quantized, 'quantized', opRules);
    expect(quantized.nodes.map(({ op }) => op)).toEqual(['conv2d', 'conv2d', 'quantize', 'concatenation']);
    const join = quantized.nodes.at(-1)!;
    const scales = [...join.inputs, ...join.outputs].map(
      (name) => quantized.values.get(name)!.type.quant!.scale[0],
    );
    expect(new Set(scales).size).toBe(1);
  });

  it('says which layer overflows on the calibration data', async () => {
    const b = new GraphBuilder();
    const graph = b.finish(b.node('exp', [b.input('x', [1, 2])], {}, 'head/exp'));
    await expect(calibrate(graph, [Float32Array.from([1, 1000])], 1, 'minmax')).rejects.toMatchObject({
      code: 'E_CALIBRATION_NOT_FINITE',
      message: expect.stringContaining('head/exp'),
    });
  });
});
