import { describe, expect, test } from 'vitest';
import type { DataArray } from '../../converter/data/array.ts';
import type { Dataset } from '../../converter/data/dataset.ts';
import { labelsFor, sampleAt, samplesFor } from '../../converter/data/samples.ts';
import { encodeSample, floatBatch } from '../../converter/evaluate/encode.ts';
import type { Graph, TensorType, Value } from '../../converter/ir/types.ts';
import { codeOf } from '../support/hostile.ts';

function array(name: string, shape: readonly number[], first = 0): DataArray {
  const count = shape.reduce((a, b) => a * b, 1);
  return { name, dtype: 'float32', shape, data: Float32Array.from({ length: count }, (_, i) => first + i) };
}

const dataset = (...arrays: DataArray[]): Dataset => ({
  file: 'd.npz',
  arrays: new Map(arrays.map((a) => [a.name, a])),
});

/** A model that has only inputs, of the given shapes and types. */
function modelWith(...inputs: { name: string; shape: number[]; type?: Omit<TensorType, 'shape'> }[]): Graph {
  const values = inputs.map(({ name, shape, type = { dtype: 'float32' } }): [string, Value] => [
    name,
    { name, type: { ...type, shape } },
  ]);
  const ports = inputs.map(({ name, shape }) => ({ name, value: name, shape }));
  return { name: 'm', nodes: [], values: new Map(values), inputs: ports, outputs: [] };
}

const port = { name: 'input', shape: [1, 3, 4] };
const model = modelWith(port);

describe('samples for a model', () => {
  test.each([
    ['a batch', [5, 3, 4], 5],
    ['one sample', [3, 4], 1],
    ['one sample with its batch', [1, 3, 4], 1],
    ['flat rows', [5, 12], 5],
    ['axes of size one dropped or added', [5, 3, 1, 4], 5],
  ])('%s', (_, shape, count) => {
    const [input] = samplesFor(model, dataset(array('x', shape)), 'x');
    expect(input).toMatchObject({ count, size: 12 });
    expect(sampleAt(input!, count - 1)[0]).toBe((count - 1) * 12);
  });

  test('calibration takes calib, or else x', () => {
    const both = dataset(array('x', [2, 3, 4]), array('calib', [2, 3, 4], 100));
    expect(sampleAt(samplesFor(model, both, 'calib')[0]!, 0)[0]).toBe(100);
    expect(sampleAt(samplesFor(model, both, 'x')[0]!, 0)[0]).toBe(0);
    expect(sampleAt(samplesFor(model, dataset(array('x', [2, 3, 4])), 'calib')[0]!, 0)[0]).toBe(0);
  });

  test('a wrong shape names both shapes', () => {
    try {
      samplesFor(model, dataset(array('x', [5, 4, 3])), 'x');
      expect.unreachable();
    } catch (error) {
      expect((error as Error).message).toContain('[5, 4, 3]');
      expect((error as Error).message).toContain('[1, 3, 4]');
    }
  });

  test('images are put in the order of channels that the model wants', () => {
    const image: DataArray = { ...array('x', [1, 2, 2, 3]) };
    const [input] = samplesFor(
      modelWith({ name: 'i', shape: [1, 3, 2, 2] }),
      { ...dataset(image), images: true },
      'x',
    );
    expect(Array.from(sampleAt(input!, 0))).toEqual([0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]);
  });

  test.each([
    [
      'two inputs and one array',
      () => samplesFor(modelWith(port, { name: 'b', shape: [1, 2] }), dataset(array('x', [5, 3, 4])), 'x'),
      'E_DATA_INPUTS',
    ],
    [
      'uneven counts',
      () =>
        samplesFor(
          modelWith(port, { name: 'b', shape: [1, 2] }),
          dataset(array('input', [5, 3, 4]), array('b', [4, 2])),
          'x',
        ),
      'E_DATA_COUNT',
    ],
    ['no samples', () => samplesFor(model, dataset(array('x', [0, 3, 4])), 'x'), 'E_DATA_EMPTY'],
    ['no array', () => samplesFor(model, dataset(array('a', [1]), array('b', [1])), 'x'), 'E_NO_ARRAY'],
  ])('%s is refused', (_, work, code) => {
    expect(codeOf(work)).toBe(code);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])('%d is refused with array and index', (value) => {
    const bad = array('x', [5, 3, 4]);
    bad.data[2 * 12 + 1 * 4 + 3] = value;
    expect(() => samplesFor(model, dataset(bad), 'x')).toThrow(/"x" holds .* at index \[2, 1, 3\]/);
  });
});

describe('a first axis other than 1 belongs to the sample', () => {
  test.each([
    [[3, 8], [3, 8], 1],
    [[3, 8], [6, 8], 2],
    [[3, 8], [5, 3, 8], 5],
    [[3, 8], [4, 24], 4],
    [[3, 2], [6], 1],
    [[8], [8], 1],
    [[8], [16], 2],
    [[8], [3, 8], 3],
    [[1], [5], 5],
  ])('%j takes %j as %d samples', (wanted, found, count) => {
    const [input] = samplesFor(modelWith({ name: 'x', shape: wanted }), dataset(array('x', found)), 'x');
    expect(input).toMatchObject({ count, size: wanted.reduce((a, b) => a * b, 1) });
    expect(sampleAt(input!, count - 1)).toHaveLength(input!.size);
  });

  test.each([
    [
      [3, 8],
      [4, 8],
    ],
    [[8], [12]],
    [[3, 2], [12]],
    [
      [3, 2],
      [1, 2],
    ],
  ])('%j refuses %j', (wanted, found) => {
    const read = () => samplesFor(modelWith({ name: 'x', shape: wanted }), dataset(array('x', found)), 'x');
    expect(codeOf(read)).toBe('E_DATA_SHAPE');
  });
});

describe('what numbers mean is decided by the input type of the model', () => {
  const quant = { scale: [0.5], zeroPoint: [3] };
  const types = ['int8', 'uint8', 'int16', 'uint16', 'int64', 'float16', 'float64'] as const;
  const meaning = (type: Omit<TensorType, 'shape'>, dtype: DataArray['dtype']) => {
    const x: DataArray = { ...array('x', [2, 4]), dtype };
    return samplesFor(modelWith({ name: 'x', shape: [1, 4], type }), dataset(x), 'x')[0]!.means;
  };
  test.each(types)('%s for a float input are real numbers', (dtype) => {
    expect(meaning({ dtype: 'float32' }, dtype)).toBe('real');
  });
  test.each(types)('%s for a quantized input are codes if they are integers', (dtype) => {
    expect(meaning({ dtype: 'int8', quant }, dtype)).toBe(dtype.startsWith('float') ? 'real' : 'codes');
  });
  test.each(types)('%s for ids are codes', (dtype) => {
    expect(meaning({ dtype: 'int32' }, dtype)).toBe('codes');
  });

  test('codes become real by the input’s scale, real numbers stay as they are', () => {
    const codes: DataArray = { name: 'x', dtype: 'int8', shape: [2, 2], data: Int8Array.of(3, 5, -1, 127) };
    const type = { dtype: 'int8' as const, quant };
    const stored = samplesFor(modelWith({ name: 'x', shape: [1, 2], type }), dataset(codes), 'x');
    expect(floatBatch(stored)[0]).toEqual(Float32Array.of(0, 1, -2, 62));
    const real = samplesFor(modelWith({ name: 'x', shape: [1, 2] }), dataset(codes), 'x');
    expect(floatBatch(real)[0]).toEqual(Float32Array.of(3, 5, -1, 127));
  });

  test('a sample is stored in the type of the graph that it goes to', () => {
    const numbers: DataArray = { name: 'x', dtype: 'int16', shape: [2], data: Int16Array.of(300, -2) };
    const float = samplesFor(modelWith({ name: 'x', shape: [1, 2] }), dataset(numbers), 'x');
    const converted = modelWith({
      name: 'x',
      shape: [1, 2],
      type: { dtype: 'int8', quant: { scale: [4], zeroPoint: [1] } },
    });
    expect(encodeSample(converted, float, 0)).toEqual([Int8Array.of(76, 0)]);
    const same = samplesFor(converted, dataset({ ...numbers, data: Int16Array.of(100, -2) }), 'x');
    expect(encodeSample(converted, same, 0)).toEqual([Int8Array.of(100, -2)]);
    const tooLarge = samplesFor(converted, dataset(numbers), 'x');
    expect(codeOf(() => encodeSample(converted, tooLarge, 0))).toBe('E_EVALUATE_RANGE');
  });
});

describe('labels', () => {
  const y = (shape: readonly number[], values: readonly number[]) =>
    dataset({ name: 'y', dtype: 'int64', shape, data: Float64Array.from(values) });
  test('class numbers, a column of them, and wanted outputs', () => {
    expect(labelsFor(y([3], [2, 0, 1]), 3).data).toEqual(Float64Array.of(2, 0, 1));
    expect(labelsFor(y([3, 1], [2, 0, 1]), 3).data).toEqual(Float64Array.of(2, 0, 1));
    expect(labelsFor(y([2, 2], [0.5, 0, 1, 1]), 2).shape).toEqual([2, 2]);
  });
  test('a wrong count or no labels are refused', () => {
    expect(codeOf(() => labelsFor(y([3], [0, 1, 2]), 4))).toBe('E_DATA_LABELS');
    expect(codeOf(() => labelsFor(dataset(), 1))).toBe('E_NO_ARRAY');
  });
});
