import type { DataArray } from './array.ts';
import type { Dataset } from './dataset.ts';
import { badClassNames, labelsMissing, otherShape, wouldLose } from './errors.ts';
import { writeNpy } from './npy.ts';
import { writeNpz } from './npz.ts';

/** Samples with their classes, as they are recorded piece by piece. */
export interface LabelledSet {
  /** Shape of one sample. */
  readonly shape: readonly number[];
  /** All samples, one after the other. */
  readonly values: Float32Array;
  /** The class of each, as a number; absent for a set without labels. */
  readonly labels?: Int32Array;
  /** Names by number. */
  readonly classes: readonly string[];
}

const countOf = ({ values, shape }: LabelledSet) => values.length / shape.reduce((a, b) => a * b, 1);

/** Rows of UTF-8, filled up with zeros: names in a file of numbers (array `classes`, uint8). */
function encodeNames(names: readonly string[]): { shape: number[]; bytes: Uint8Array } {
  const encoded = names.map((name) => new TextEncoder().encode(name));
  const width = Math.max(1, ...encoded.map((bytes) => bytes.length));
  const bytes = new Uint8Array(names.length * width);
  for (const [i, name] of encoded.entries()) bytes.set(name, i * width);
  return { shape: [names.length, width], bytes };
}

function decodeNames(array: DataArray | undefined, file: string): string[] {
  if (!array) return [];
  const [count = 0, width = 0] = array.shape;
  if (array.shape.length !== 2 || array.dtype !== 'uint8') throw badClassNames(file);
  return Array.from({ length: count }, (_, i) => {
    const bytes = Uint8Array.from(array.data.subarray(i * width, (i + 1) * width));
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  });
}

function numbersAsNames(labels: DataArray | undefined): string[] {
  let highest = -1;
  for (const label of labels?.data ?? []) highest = Math.max(highest, label);
  return Array.from({ length: Math.min(10_000, highest + 1) }, (_, i) => String(i));
}

/** What of a file would be lost when it is written again with more samples, in words. */
function lossOf(arrays: Dataset['arrays']): string | undefined {
  const others = [...arrays.keys()].filter((name) => !['x', 'y', 'classes'].includes(name));
  if (others.length > 0) return `the arrays ${others.join(', ')}`;
  const x = arrays.get('x')?.data ?? [];
  if (x.some((value) => !Number.isNaN(value) && Math.fround(value) !== value))
    return 'digits of x, which is written as float32';
  const y = arrays.get('y')?.data ?? [];
  return y.some((label) => (label | 0) !== label) ? 'labels y that are no whole numbers' : undefined;
}

/** A data file as a set to be added to. Throws E_NO_ARRAY's kin when it holds something else, E_RECORD_LOSS when more. */
export function labelledSetOf({ file, arrays, classes }: Dataset, shape: readonly number[]): LabelledSet {
  const x = arrays.get('x');
  const y = arrays.get('y');
  const size = shape.reduce((a, b) => a * b, 1);
  const [count = 0, ...tail] = x?.shape ?? [];
  const flat = tail.length === 1 && tail[0] === size;
  if (!x || !(flat || tail.join() === shape.join())) throw otherShape(file, x?.shape, shape);
  const loss = lossOf(arrays);
  if (loss !== undefined) throw wouldLose(file, loss);
  const names = classes ?? decodeNames(arrays.get('classes'), file);
  return {
    shape,
    values: Float32Array.from(x.data.subarray(0, count * size)),
    ...(y ? { labels: Int32Array.from(y.data) } : {}),
    classes: names.length > 0 ? names : numbersAsNames(y),
  };
}

/** Both sets as one; a class of the second that the first has not gets the next number. Throws E_RECORD_LABELS. */
export function joinSets(file: string, first: LabelledSet, second: LabelledSet): LabelledSet {
  if ((first.labels === undefined) !== (second.labels === undefined))
    throw labelsMissing(file, !first.labels);
  const classes = [...new Set([...first.classes, ...second.classes])];
  const values = new Float32Array(first.values.length + second.values.length);
  values.set(first.values);
  values.set(second.values, first.values.length);
  if (!first.labels || !second.labels) return { shape: first.shape, values, classes };
  const labels = new Int32Array(first.labels.length + second.labels.length);
  labels.set(first.labels);
  labels.set(
    second.labels.map((label) => classes.indexOf(second.classes[label]!)),
    first.labels.length,
  );
  return { shape: first.shape, values, labels, classes };
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array | Int32Array) =>
  new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);

/** A .npz file: `x` float32 [N, ...shape], `y` int32 [N], `classes` uint8 [classes, longest name]. */
export function writeSetNpz(set: LabelledSet): Uint8Array {
  const count = countOf(set);
  const arrays = new Map([['x', writeNpy('float32', [count, ...set.shape], bytesOf(set.values))]]);
  if (set.labels) {
    const names = encodeNames(set.classes);
    arrays.set('y', writeNpy('int32', [count], bytesOf(set.labels)));
    arrays.set('classes', writeNpy('uint8', names.shape, names.bytes));
  }
  return writeNpz(arrays);
}

/** A .csv file: one sample a row, its label at the end, a row of names at the top. */
export function writeSetCsv(set: LabelledSet): string {
  const size = set.shape.reduce((a, b) => a * b, 1);
  const names = Array.from({ length: size }, (_, i) => `x${i}`);
  const rows = Array.from({ length: countOf(set) }, (_, i) => {
    const cells = Array.from(set.values.subarray(i * size, (i + 1) * size), String);
    return set.labels ? [...cells, set.classes[set.labels[i]!]!] : cells;
  });
  const head = set.labels ? [...names, 'label'] : names;
  return `${[head, ...rows].map((cells) => cells.join(',')).join('\n')}\n`;
}
