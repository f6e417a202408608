import { tensorOf } from '../ir/graph.ts';
import type { Graph, Port, TensorType } from '../ir/types.ts';
import { type ArrayData, countOf, type DataArray, unravel } from './array.ts';
import type { Dataset } from './dataset.ts';
import {
  labelMismatch,
  missingInput,
  noSamples,
  noSuchArray,
  notFinite,
  shapeMismatch,
  unevenInputs,
} from './errors.ts';

/** An input of the user's model. */
interface InputPort {
  readonly name: string;
  /** As the user exported the model, with its batch of 1. */
  readonly shape: readonly number[];
  /** In the user's own file: what it says decides what numbers mean. */
  readonly type: TensorType;
}

/**
 * What the numbers of an array are to the model: real numbers, or codes as a model with integer inputs stores them
 * (quantized values, ids, flags).
 */
export type Meaning = 'real' | 'codes';

/** All samples for one input: `count` pieces of `size` elements each, in the user's own axis order. */
export interface InputSamples {
  readonly name: string;
  readonly array: DataArray;
  readonly count: number;
  readonly size: number;
  readonly means: Meaning;
  /** Type of the input in the user's own model. */
  readonly type: TensorType;
}

/**
 * The one place that decides what numbers mean. A model with float inputs takes every number as it is, whatever type
 * the file stores it in (16-bit sound, ADC counts, uint8 images, int64 of a table). A quantized input takes whole
 * numbers as codes and real ones to be quantized. An integer input without a scale (ids, flags) takes codes only.
 */
function meaningOf(type: TensorType, array: DataArray): Meaning {
  if (type.dtype === 'float32') return 'real';
  return type.quant && array.dtype.startsWith('float') ? 'real' : 'codes';
}

/** Which part of a data set is asked for: `calib` falls back to `x`. */
export type Purpose = 'x' | 'calib';

const inputPort = (source: Graph, { name, shape, value }: Port): InputPort => ({
  name,
  shape,
  type: tensorOf(source, value).type,
});

/**
 * The samples of a data set for each input of the user's own model `source` (as imported, never as converted), in
 * the order of its inputs. Accepted for an input of shape [1, ...rest]: [N, ...rest], one sample (with or without the
 * leading 1, or flat), or rows [N, product of rest]. A first axis other than 1 belongs to the sample: for [3, ...rest] that is
 * [3, ...rest], [N, 3, ...rest], [3 * N, ...rest], or rows. Every element must be finite. Throws E_NO_ARRAY,
 * E_DATA_SHAPE, E_DATA_INPUTS, E_DATA_COUNT, E_DATA_EMPTY, E_DATA_NOT_FINITE.
 */
export function samplesFor(source: Graph, dataset: Dataset, purpose: Purpose): readonly InputSamples[] {
  const ports = source.inputs.map((port) => inputPort(source, port));
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

/** Shape of one sample: the input's own without a batch of 1. */
function sampleShape(shape: readonly number[]): readonly number[] {
  return shape[0] === 1 ? shape.slice(1) : shape;
}

/** Samples that an array of `found` axes holds for an input of `wanted` axes, or undefined where they do not fit. */
function countSamples(found: readonly number[], wanted: readonly number[]): number | undefined {
  const sample = sampleShape(wanted);
  const flat = found.length === 1 && found[0] === countOf(wanted);
  if (flat || sameShape(found, wanted) || sameShape(found, sample)) return 1;
  const [first = 0, ...rest] = found;
  if (found.length === 0) return undefined;
  const rows = rest.length === 1 && rest[0] === countOf(sample);
  if (rows || sameShape(withoutOnes(rest), withoutOnes(sample))) return first;
  const [own = 1, ...inner] = wanted;
  const joined = own > 1 && first % own === 0 && sameShape(withoutOnes(rest), withoutOnes(inner));
  return joined ? first / own : undefined;
}

function matchShape(port: InputPort, array: DataArray, file: string): InputSamples {
  const { name, type } = port;
  const size = countOf(port.shape) ?? 0;
  const count = countSamples(array.shape, port.shape);
  if (count === undefined) throw shapeMismatch(file, array.name, array.shape, name, port.shape);
  if (count === 0 || size === 0) throw noSamples(file, array.name);
  return { name, array, count, size, type, means: meaningOf(type, array) };
}

function withoutOnes(shape: readonly number[]): readonly number[] {
  return shape.filter((size) => size !== 1);
}

/** Images come as height, width, channels; a model that wants channels first gets them first. */
function orderAxes(array: DataArray, port: InputPort): DataArray {
  const [count = 0, height = 0, width = 0, channels = 0] = array.shape;
  const wanted = sampleShape(port.shape);
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

/** The labels of `count` samples, `y`: a number, or a row of numbers, for each. Throws E_NO_ARRAY and E_DATA_LABELS. */
export function labelsFor(dataset: Dataset, count: number): DataArray {
  const y = dataset.arrays.get('y');
  if (!y) throw noSuchArray(dataset.file, '"y" with the labels', [...dataset.arrays.keys()]);
  const rows = y.shape[0] ?? 1;
  if (rows !== count) throw labelMismatch(dataset.file, count, rows);
  return y;
}
