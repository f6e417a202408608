import { type ArrayData, countOf, type DataArray, unravel } from './array.ts';
import type { Dataset } from './dataset.ts';
import {
  badLabel,
  labelMismatch,
  missingInput,
  noSamples,
  noSuchArray,
  notFinite,
  shapeMismatch,
  unevenInputs,
} from './errors.ts';

/** What of a model's input matters here; a Port of the IR is one. */
export interface InputPort {
  readonly name: string;
  /** As the user exported the model, with its batch of 1. */
  readonly shape: readonly number[];
}

/** All samples for one input: `count` pieces of `size` elements each, in the user's own axis order. */
export interface InputSamples {
  readonly name: string;
  readonly array: DataArray;
  readonly count: number;
  readonly size: number;
}

/** Which part of a data set is asked for: `calib` falls back to `x`. */
export type Purpose = 'x' | 'calib';

/**
 * The samples of a data set for each input, in the order of `ports`. Accepted for an input of shape [1, ...rest]:
 * [N, ...rest], one sample (with or without the leading 1), or rows [N, product of rest]. Every element must be
 * finite. Throws E_NO_ARRAY, E_DATA_SHAPE, E_DATA_INPUTS, E_DATA_COUNT, E_DATA_EMPTY, E_DATA_NOT_FINITE.
 */
export function samplesFor(
  ports: readonly InputPort[],
  dataset: Dataset,
  purpose: Purpose,
): readonly InputSamples[] {
  const inputs = ports.map((port) => {
    const array = arrayFor(port, ports, dataset, purpose);
    return matchShape(port, dataset.images ? orderAxes(array, port) : array, dataset.file);
  });
  const counts = new Map(inputs.map((input) => [input.name, input.count]));
  if (new Set(counts.values()).size > 1) throw unevenInputs(dataset.file, counts);
  for (const input of inputs) requireFinite(input.array, dataset.file);
  return inputs;
}

function arrayFor(
  port: InputPort,
  ports: readonly InputPort[],
  { file, arrays }: Dataset,
  purpose: Purpose,
): DataArray {
  const names = [...arrays.keys()];
  if (ports.length > 1) {
    const own = (purpose === 'calib' ? arrays.get(`calib_${port.name}`) : undefined) ?? arrays.get(port.name);
    if (!own)
      throw missingInput(
        file,
        ports.map((other) => other.name),
        names,
      );
    return own;
  }
  const wanted = purpose === 'calib' ? ['calib', 'x', port.name] : ['x', port.name];
  const found = wanted.map((name) => arrays.get(name)).find((array) => array !== undefined);
  if (found) return found;
  const only = [...arrays.values()];
  if (only.length === 1) return only[0]!;
  throw noSuchArray(file, purpose === 'calib' ? '"calib" or "x"' : '"x"', names);
}

const sameShape = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a.every((size, i) => size === b[i]);

function matchShape(port: InputPort, array: DataArray, file: string): InputSamples {
  const size = countOf(port.shape) ?? 0;
  const rest = port.shape.slice(1);
  const { shape } = array;
  const one = sameShape(shape, port.shape) || sameShape(shape, rest);
  const many =
    sameShape(shape.slice(1), rest) ||
    (shape.length === 2 && shape[1] === size) ||
    sameShape(withoutOnes(shape.slice(1)), withoutOnes(rest));
  if (!one && !(many && shape.length > 0))
    throw shapeMismatch(file, array.name, shape, port.name, port.shape);
  const count = one ? 1 : shape[0]!;
  if (count === 0 || size === 0) throw noSamples(file, array.name);
  return { name: port.name, array, count, size };
}

function withoutOnes(shape: readonly number[]): readonly number[] {
  return shape.filter((size) => size !== 1);
}

/** Images come as height, width, channels; a model that wants channels first gets them first. */
function orderAxes(array: DataArray, port: InputPort): DataArray {
  const [count = 0, height = 0, width = 0, channels = 0] = array.shape;
  const wanted = port.shape.slice(1);
  if (
    array.shape.length !== 4 ||
    sameShape(wanted, [height, width, channels]) ||
    !sameShape(wanted, [channels, height, width])
  )
    return array;
  const data = new Float32Array(array.data.length);
  const area = height * width;
  for (let i = 0; i < data.length; i++) {
    const [sample, inside] = [Math.floor(i / (area * channels)), i % (area * channels)];
    data[i] = array.data[sample * area * channels + (inside % area) * channels + Math.floor(inside / area)]!;
  }
  return { ...array, shape: [count, channels, height, width], data };
}

function requireFinite({ name, dtype, data, shape }: DataArray, file: string): void {
  if (!dtype.startsWith('float')) return;
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i]!)) throw notFinite(file, name, unravel(i, shape), data[i]!);
  }
}

/** Elements of sample `index` of one input, without a copy. */
export function sampleAt(input: InputSamples, index: number): ArrayData {
  return input.array.data.subarray(index * input.size, (index + 1) * input.size);
}

/**
 * The labels of `count` samples, `y`: a class number each, or as many wanted outputs each. Throws E_NO_ARRAY and
 * E_DATA_LABELS.
 */
export function labelsFor(dataset: Dataset, count: number): DataArray {
  const y = dataset.arrays.get('y');
  if (!y) throw noSuchArray(dataset.file, '"y" with the labels', [...dataset.arrays.keys()]);
  const rows = y.shape[0] ?? 1;
  if (rows !== count) throw labelMismatch(dataset.file, count, rows);
  if (y.data.length === count) {
    const wrong = y.data.findIndex((label) => !Number.isInteger(label) || label < 0 || label > 65_535);
    if (wrong >= 0) throw badLabel(dataset.file, wrong, `is ${y.data[wrong]}, expected a class number`);
  }
  return y;
}
