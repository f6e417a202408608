import { describe, expect, test } from 'vitest';
import type { DataArray } from '../../converter/data/array.ts';
import type { Dataset } from '../../converter/data/dataset.ts';
import { labelsFor, sampleAt, samplesFor } from '../../converter/data/samples.ts';
import { codeOf } from '../support/hostile.ts';

function array(name: string, shape: readonly number[], first = 0): DataArray {
  const count = shape.reduce((a, b) => a * b, 1);
  return { name, dtype: 'float32', shape, data: Float32Array.from({ length: count }, (_, i) => first + i) };
}

const dataset = (...arrays: DataArray[]): Dataset => ({
  file: 'd.npz',
  arrays: new Map(arrays.map((a) => [a.name, a])),
});
const port = { name: 'input', shape: [1, 3, 4] };

describe('samples for a model', () => {
  test.each([
    ['a batch', [5, 3, 4], 5],
    ['one sample', [3, 4], 1],
    ['one sample with its batch', [1, 3, 4], 1],
    ['flat rows', [5, 12], 5],
    ['axes of size one dropped or added', [5, 3, 1, 4], 5],
  ])('%s', (_, shape, count) => {
    const [input] = samplesFor([port], dataset(array('x', shape)), 'x');
    expect(input).toMatchObject({ count, size: 12 });
    expect(sampleAt(input!, count - 1)[0]).toBe((count - 1) * 12);
  });

  test('calibration takes calib, or else x', () => {
    const both = dataset(array('x', [2, 3, 4]), array('calib', [2, 3, 4], 100));
    expect(sampleAt(samplesFor([port], both, 'calib')[0]!, 0)[0]).toBe(100);
    expect(sampleAt(samplesFor([port], both, 'x')[0]!, 0)[0]).toBe(0);
    expect(sampleAt(samplesFor([port], dataset(array('x', [2, 3, 4])), 'calib')[0]!, 0)[0]).toBe(0);
  });

  test('a wrong shape names both shapes', () => {
    try {
      samplesFor([port], dataset(array('x', [5, 4, 3])), 'x');
      expect.unreachable();
    } catch (error) {
      expect((error as Error).message).toContain('[5, 4, 3]');
      expect((error as Error).message).toContain('[1, 3, 4]');
    }
  });

  test('images are put in the order of channels that the model wants', () => {
    const image: DataArray = { ...array('x', [1, 2, 2, 3]) };
    const [input] = samplesFor(
      [{ name: 'i', shape: [1, 3, 2, 2] }],
      { ...dataset(image), images: true },
      'x',
    );
    expect(Array.from(sampleAt(input!, 0))).toEqual([0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]);
  });

  test.each([
    [
      'two inputs and one array',
      () => samplesFor([port, { name: 'b', shape: [1, 2] }], dataset(array('x', [5, 3, 4])), 'x'),
      'E_DATA_INPUTS',
    ],
    [
      'uneven counts',
      () =>
        samplesFor(
          [port, { name: 'b', shape: [1, 2] }],
          dataset(array('input', [5, 3, 4]), array('b', [4, 2])),
          'x',
        ),
      'E_DATA_COUNT',
    ],
    ['no samples', () => samplesFor([port], dataset(array('x', [0, 3, 4])), 'x'), 'E_DATA_EMPTY'],
    ['no array', () => samplesFor([port], dataset(array('a', [1]), array('b', [1])), 'x'), 'E_NO_ARRAY'],
  ])('%s is refused', (_, work, code) => {
    expect(codeOf(work)).toBe(code);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])('%d is refused with array and index', (value) => {
    const bad = array('x', [5, 3, 4]);
    bad.data[2 * 12 + 1 * 4 + 3] = value;
    expect(() => samplesFor([port], dataset(bad), 'x')).toThrow(/"x" holds .* at index \[2, 1, 3\]/);
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
  test('a wrong count, a fraction or no labels are refused', () => {
    expect(codeOf(() => labelsFor(y([3], [0, 1, 2]), 4))).toBe('E_DATA_LABELS');
    expect(codeOf(() => labelsFor(y([1], [0.5]), 1))).toBe('E_DATA_LABELS');
    expect(codeOf(() => labelsFor(dataset(), 1))).toBe('E_NO_ARRAY');
  });
});
