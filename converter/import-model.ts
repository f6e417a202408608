import { importOnnx } from './formats/onnx/import.ts';
import { importTfjs } from './formats/tfjs/import.ts';
import { importTflite } from './formats/tflite/import.ts';
import type { Graph } from './ir/types.ts';

export type ModelFormat = 'onnx' | 'tflite' | 'tfjs';

export interface ImportOptions {
  /** The file as the user named it, for messages. */
  readonly fileName: string;
  /** Shapes for inputs with unknown dimensions, by input name. */
  readonly inputShapes?: ReadonlyMap<string, readonly number[]>;
  /** Opens a file beside the model that holds weights; the caller confines the path to the model's folder. */
  readonly readExternal?: (location: string, offset: number, length: number | undefined) => Uint8Array;
}

export interface ImportedModel {
  readonly graph: Graph;
  readonly format: ModelFormat;
  /** What was decided for the user, in sentences. */
  readonly notes: readonly string[];
}

/** TFLite files carry this identifier at byte 4 (FlatBuffers file identifier). */
const tfliteIdentifier = 'TFL3';

function isTflite(bytes: Uint8Array): boolean {
  return bytes.length >= 8 && String.fromCharCode(...bytes.subarray(4, 8)) === tfliteIdentifier;
}

/** The first character of a JSON document that is an object; no ONNX file begins so, since field 15 of a model does not exist. */
function isJson(bytes: Uint8Array): boolean {
  return /^\s*\{/.test(String.fromCharCode(...bytes.subarray(0, 64)));
}

/** Reads a model file into the IR, by what the bytes are. Throws TinymlError on anything damaged or unsupported. */
export function importModel(source: Uint8Array, options: ImportOptions): ImportedModel {
  // A Node Buffer's slice() shares memory where a Uint8Array's copies.
  const bytes = new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  if (isTflite(bytes) || options.fileName.toLowerCase().endsWith('.tflite')) {
    return { ...importTflite(bytes, options), format: 'tflite' };
  }
  if (isJson(bytes)) return { ...importTfjs(bytes, options), format: 'tfjs' };
  return { ...importOnnx(bytes, options), format: 'onnx' };
}
