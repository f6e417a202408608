import { describe, expect, test } from 'vitest';
import { importOnnx } from '../../../converter/formats/onnx/import.ts';
import { codeOf } from '../../support/hostile.ts';
import type { Draft } from './encode.ts';
import { floats, model, node, port } from './models.ts';

type ReadExternal = NonNullable<Parameters<typeof importOnnx>[1]['readExternal']>;

const add = { nodes: [node('Add', ['x', 'w'], ['y'])], inputs: [port('x', [1, 4])] };

function load(weights: Draft, readExternal?: ReadExternal) {
  const bytes = model({ ...add, initializers: [{ name: 'w', dims: [4], ...weights }] });
  return importOnnx(bytes, { fileName: 'net.onnx', ...(readExternal && { readExternal }) });
}

/** Elements of the constant that the initializer became. */
function elements(weights: Draft, readExternal?: ReadExternal): number[] {
  const { graph } = load(weights, readExternal);
  return Array.from([...graph.values.values()].find(({ data }) => data)!.data as Float32Array);
}

const values = [1, -2, 0.5, 65504];
const raw = (array: { readonly buffer: ArrayBuffer }) => new Uint8Array(array.buffer);

describe('storage of tensors', () => {
  const storages: readonly (readonly [string, Draft])[] = [
    ['raw float', { dataType: 1, rawData: raw(Float32Array.from(values)) }],
    ['typed float', { dataType: 1, floatData: values }],
    ['raw double', { dataType: 11, rawData: raw(Float64Array.from(values)) }],
    ['typed double', { dataType: 11, doubleData: values }],
    ['raw float16', { dataType: 10, rawData: raw(Uint16Array.of(0x3c00, 0xc000, 0x3800, 0x7bff)) }],
    ['typed float16', { dataType: 10, int32Data: [0x3c00, 0xc000, 0x3800, 0x7bff] }],
  ];
  test.each(storages)('%s gives the same numbers', (_, weights) => {
    expect(elements(weights)).toEqual(values);
  });

  test('bfloat16 is the upper half of a float32', () => {
    const bits = [0x3f80, 0xc000, 0x3f00, 0x0001];
    const expected = [1, -2, 0.5, Math.fround(2 ** -133)];
    expect(elements({ dataType: 16, rawData: raw(Uint16Array.from(bits)) })).toEqual(expected);
    expect(elements({ dataType: 16, int32Data: bits })).toEqual(expected);
  });

  test('subnormal and zero halves are exact', () => {
    expect(elements({ dataType: 10, int32Data: [0x0001, 0x8000, 0x03ff, 0x0400] })).toEqual([
      2 ** -24,
      -0,
      1023 * 2 ** -24,
      2 ** -14,
    ]);
  });

  const faults: readonly (readonly [string, Draft])[] = [
    ['too few bytes', { dataType: 1, rawData: new Uint8Array(15) }],
    ['too many bytes', { dataType: 1, rawData: new Uint8Array(20) }],
    ['too few numbers', { dataType: 1, floatData: [1, 2, 3] }],
    ['no data at all', { dataType: 1 }],
    ['numbers in the wrong field', { dataType: 1, int32Data: [1, 2, 3, 4] }],
    ['a negative dimension', { dataType: 1, dims: [-4], floatData: [1, 2, 3, 4] }],
    ['a dimension of 2^62', { dataType: 1, dims: [2 ** 62], floatData: [1] }],
    ['a product of 2^60', { dataType: 1, dims: [2 ** 20, 2 ** 20, 2 ** 20], floatData: [1] }],
    ['nine dimensions', { dataType: 1, dims: [1, 1, 1, 1, 1, 1, 1, 1, 4], floatData: [1, 2, 3, 4] }],
    ['segments', { dataType: 1, floatData: [1, 2, 3, 4], segment: new Uint8Array([8, 1]) }],
    ['type string', { dataType: 8 }],
    ['type complex64', { dataType: 14 }],
    ['type int4', { dataType: 22, int32Data: [1, 2] }],
    ['type 99', { dataType: 99, floatData: [1, 2, 3, 4] }],
    ['no type', { floatData: [1, 2, 3, 4] }],
  ];
  test.each(faults)('%s is refused with the name of the tensor', (_, weights) => {
    expect(codeOf(() => load(weights))).toBe('E_ONNX_TENSOR');
    expect(() => load(weights)).toThrow(/net\.onnx: .*tensor "w"/);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'weights with %d are refused',
    (bad) => {
      const weights = { dataType: 1, floatData: [1, bad, 3, bad] };
      expect(codeOf(() => load(weights))).toBe('E_ONNX_NOT_FINITE');
      expect(() => load(weights)).toThrow(/tensor "w" holds NaN or infinite values \(not finite\)/);
    },
  );

  test('weights that no float32 can hold are refused as not finite', () => {
    expect(codeOf(() => load({ dataType: 11, doubleData: [1, 1e300, 1, 1] }))).toBe('E_ONNX_NOT_FINITE');
  });

  test('tensors that nothing reads are never looked at', () => {
    const broken = { name: 'unused', dims: [4], dataType: 1, rawData: new Uint8Array(3) };
    const initializers = [floats('w', [4], [1, 2, 3, 4]), broken];
    expect(importOnnx(model({ ...add, initializers }), { fileName: 'net.onnx' }).graph.nodes).toHaveLength(1);
  });

  test('sparse weights are refused', () => {
    const graph = { sparseInitializer: [{ values: floats('w', [4], [1, 2, 3, 4]) }] };
    expect(codeOf(() => importOnnx(model({ ...add, graph }), { fileName: 'net.onnx' }))).toBe(
      'E_ONNX_TENSOR',
    );
  });
});

describe('external data', () => {
  const entries = (pairs: Readonly<Record<string, string>>) =>
    Object.entries(pairs).map(([key, value]) => ({ key, value }));
  const external = (pairs: Readonly<Record<string, string>>) => ({
    dataType: 1,
    dataLocation: 1,
    externalData: entries(pairs),
  });
  const file = new Uint8Array(64);
  new Float32Array(file.buffer).set(values, 4);

  /** A file system with one file, which notes what it was asked for. */
  function files(asked: unknown[]): ReadExternal {
    return (location, offset, length) => {
      asked.push([location, offset, length]);
      return file.subarray(offset, offset + length);
    };
  }

  test('is read through the callback, whole or in part', () => {
    const asked: unknown[] = [];
    const where = { location: 'sub/weights.bin', offset: '16', length: '16', checksum: 'ignored' };
    expect(elements(external(where), files(asked))).toEqual(values);
    expect(elements(external({ location: 'weights.bin' }), files(asked))).toEqual([0, 0, 0, 0]);
    expect(asked).toEqual([
      ['sub/weights.bin', 16, 16],
      ['weights.bin', 0, 16],
    ]);
  });

  test('may come in a Node.js buffer, which is not shared', () => {
    const buffer = Buffer.from(file);
    expect(
      elements(external({ location: 'w', offset: '16' }), (_, at, length) =>
        buffer.subarray(at, at + length),
      ),
    ).toEqual(values);
  });

  const outside = [
    '',
    '.',
    './',
    '..',
    '../w',
    '../../../../etc/passwd',
    'a/../../b',
    'a/..',
    'a/../b',
    './../w',
    'a/./../../b',
    '/etc/passwd',
    '//server/share/w',
    '///w',
    '/',
    '~/w',
    '~root/w',
    'C:/w',
    'C:w',
    'c:\\w',
    '\\\\server\\share\\w',
    '\\\\?\\C:\\w',
    '\\\\.\\PhysicalDrive0',
    '\\w',
    '..\\w',
    'a\\..\\..\\w',
    'a\\b',
    'w\0',
    'w\0.bin',
    '\0',
    'a/\0/../..',
    'w\n',
    'w\r',
    '\x1b[2Jw',
    'w\x7f',
    'file:///etc/passwd',
    'http://example.com/w',
    'w:stream',
    'w::$DATA',
    'a/',
    'a/.',
    'a/b/',
    'a/b/.',
    '..//w',
    'a//../..',
    '../',
    '../.',
    './..',
    'a/b/../../../w',
    'x'.repeat(1025),
    `${'a/'.repeat(600)}w`,
    `${'../'.repeat(100)}etc/passwd`,
  ];
  test.each(outside.map((location) => [location.slice(0, 40), location]))(
    '%j is refused unread',
    (_, location) => {
      const asked: unknown[] = [];
      const work = () => load(external({ location }), files(asked));
      expect(codeOf(work)).toBe('E_ONNX_EXTERNAL_DATA');
      expect(work).toThrow(/tensor "w" points to .* outside the model's folder/);
      expect(asked).toEqual([]);
    },
  );

  test.each([
    'w',
    'a/w',
    'a//w',
    './w',
    'a/./w',
    '%2e%2e/w',
    '..w',
    'w..',
    '...',
    'a..b/w',
    '-w',
    '$HOME',
    'é',
  ])('%j is below the folder and handed on as it is', (location) => {
    const asked: unknown[] = [];
    load(external({ location }), files(asked));
    expect(asked).toEqual([[location, 0, 16]]);
  });

  test.each([
    { offset: '-1' },
    { offset: '9007199254740993' },
    { offset: '1e3' },
    { offset: '0x10' },
    { offset: ' 1' },
    { offset: '' },
    { offset: '18446744073709551616' },
    { length: '-16' },
    { length: '15' },
    { length: '17' },
    { length: '99999999999999999999' },
    { length: 'NaN' },
    { offset: '56' },
    { offset: '64' },
    { offset: '9007199254740991' },
  ])('the range %j is refused', (range) => {
    const work = () => load(external({ location: 'w', ...range }), files([]));
    expect(codeOf(work)).toBe('E_ONNX_EXTERNAL_DATA');
    expect(work).toThrow(/tensor "w" cannot be read from "w"/);
  });

  test('without a way to read files is refused', () => {
    expect(codeOf(() => load(external({ location: 'w' })))).toBe('E_ONNX_EXTERNAL_DATA');
  });

  test('of a huge tensor is refused before anything is read', () => {
    const asked: unknown[] = [];
    const huge = { ...external({ location: 'w' }), dims: [2 ** 20, 2 ** 20] };
    expect(codeOf(() => load(huge, files(asked)))).toBe('E_ONNX_TENSOR');
    expect(asked).toEqual([]);
  });
});
