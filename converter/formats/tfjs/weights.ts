import { elementCount } from '../../ir/tensor.ts';
import type { Shape } from '../../ir/types.ts';
import { float16ToFloat32 } from '../tflite/float16.ts';
import { damagedAt, damagedTfjs, tooLargeTfjs, weightsIncomplete } from './errors.ts';
import { Fields, type Json } from './json.ts';
import { mostAxes, mostElements, mostWeightBytes, mostWeights } from './limits.ts';

/** One weight of the manifest, as numbers. Integers and flags are kept as int32. */
export interface Weight {
  readonly name: string;
  readonly shape: Shape;
  readonly data: Float32Array | Int32Array;
}

/** Reads a file beside the model; the caller confines the path. */
export type ReadFile = (path: string) => Uint8Array;

/** Bytes of one stored element. */
const storedBytes: Readonly<Record<string, number>> = {
  float32: 4,
  int32: 4,
  bool: 1,
  uint8: 1,
  uint16: 2,
  float16: 2,
};

interface Stored {
  readonly name: string;
  readonly shape: Shape;
  /** Type in the file, which quantization makes smaller than the type of the weight. */
  readonly stored: string;
  readonly isFloat: boolean;
  readonly scale: number;
  readonly min: number;
}

function shapeOf(fields: Fields): Shape {
  const shape = fields.integers('shape');
  const fits = shape.length <= mostAxes && shape.every((size) => size >= 0);
  if (!fits || elementCount(shape) > mostElements) throw fields.wrong('shape', `is [${shape.slice(0, 8)}]`);
  return shape;
}

function storedWeight(entry: Json, place: string): Stored {
  const fields = new Fields(place, entry);
  const name = fields.text('name');
  const dtype = fields.text('dtype');
  const quantization = fields.has('quantization') ? fields.object('quantization') : undefined;
  const stored = quantization?.text('dtype') ?? dtype;
  if (storedBytes[stored] === undefined || !['float32', 'int32', 'bool'].includes(dtype)) {
    throw damagedAt(name, `has elements of type ${stored}, which are not read`);
  }
  const scale = quantization?.number('scale', 1) ?? 1;
  const min = quantization?.number('min', 0) ?? 0;
  return { name, shape: shapeOf(fields), stored, isFloat: dtype === 'float32', scale, min };
}

/** Little-endian elements as real numbers. Quantized ones are value * scale + min (tfjs-core io/io_utils). */
function decode({ stored, isFloat, scale, min }: Stored, bytes: Uint8Array, count: number): Weight['data'] {
  if (stored === 'float16') return float16ToFloat32(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data = isFloat ? new Float32Array(count) : new Int32Array(count);
  const read: Readonly<Record<string, (i: number) => number>> = {
    float32: (i) => view.getFloat32(4 * i, true),
    int32: (i) => view.getInt32(4 * i, true),
    bool: (i) => view.getUint8(i),
    uint8: (i) => view.getUint8(i) * scale + min,
    uint16: (i) => view.getUint16(2 * i, true) * scale + min,
  };
  const element = read[stored]!;
  for (let i = 0; i < count; i++) data[i] = isFloat ? element(i) : Math.round(element(i));
  return data;
}

function joined(paths: readonly Json[], readFile: ReadFile, left: { bytes: number }): Uint8Array {
  const shards = paths.map((path) => {
    if (typeof path !== 'string') throw damagedTfjs('a path of the weights manifest is not a text');
    const bytes = readFile(path);
    left.bytes -= bytes.length;
    if (left.bytes < 0) throw tooLargeTfjs('bytes of weights', mostWeightBytes);
    return bytes;
  });
  const whole = new Uint8Array(shards.reduce((sum, shard) => sum + shard.length, 0));
  let at = 0;
  for (const shard of shards) {
    whole.set(shard, at);
    at += shard.length;
  }
  return whole;
}

/** All weights of a manifest by name: in each group the files one after another hold the weights one after another. */
export function readWeights(manifest: readonly Json[], readFile: ReadFile): ReadonlyMap<string, Weight> {
  const weights = new Map<string, Weight>();
  const left = { bytes: mostWeightBytes };
  for (const [g, group] of manifest.entries()) {
    const fields = new Fields(`weightsManifest[${g}]`, group);
    const entries = fields.list('weights');
    if (weights.size + entries.length > mostWeights) throw tooLargeTfjs('weights', mostWeights);
    const bytes = joined(fields.list('paths'), readFile, left);
    let at = 0;
    for (const [i, entry] of entries.entries()) {
      const stored = storedWeight(entry, `${fields.place}.weights[${i}]`);
      const { name, shape } = stored;
      const count = elementCount(shape);
      const size = count * storedBytes[stored.stored]!;
      if (at + size > bytes.length) throw weightsIncomplete(name, at + size, bytes.length);
      if (weights.has(name)) throw damagedAt(name, 'is named twice in the weights manifest');
      weights.set(name, { name, shape, data: decode(stored, bytes.subarray(at, at + size), count) });
      at += size;
    }
  }
  return weights;
}
