import { describe, expect, test } from 'vitest';
import type { InputSamples } from '../../converter/data/samples.ts';
import type { Graph } from '../../converter/ir/types.ts';
import { judgeInputs } from '../../converter/quant/judge-inputs.ts';

const type = { dtype: 'int8' as const, shape: [1, 64], quant: { scale: [0.1], zeroPoint: [0] } };
const graph: Graph = {
  name: 'g',
  nodes: [],
  values: new Map([['v', { name: 'v', type }]]),
  inputs: [{ name: 'x', value: 'v', shape: [1, 64] }],
  outputs: [],
};

function judge(value: (i: number) => number, size = 64, means: InputSamples['means'] = 'real') {
  const data = Float32Array.from({ length: size }, (_, i) => value(i));
  const array = { name: 'x', dtype: 'float32' as const, shape: [1, size], data };
  return judgeInputs(graph, [{ name: 'x', array, count: 1, size, means, type }]);
}

describe('data of another scale than the calibration data', () => {
  test.each([
    ['reach over one code', (i: number) => i / 1000],
    ['are clipped', (i: number) => i - 20],
    ['are clipped here and there', (i: number) => (i === 0 ? 99 : i / 8)],
  ])('%s: warned of', (_, value) => {
    expect(judge(value)).toHaveLength(1);
  });

  test.each([
    ['use the range', (i: number) => (i - 32) / 3, 64],
    ['are one constant', () => 0.5, 64],
    ['are two values far apart, as flags are', (i: number) => (i % 2) * 10, 64],
    ['are too few to tell', (i: number) => i / 1000, 8],
  ])('%s: not warned of', (_, value, size) => {
    expect(judge(value, size)).toEqual([]);
  });

  test('codes are what they are', () => {
    expect(judge((i) => i % 2, 64, 'codes')).toEqual([]);
  });
});
