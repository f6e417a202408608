import { basename, extname } from 'node:path';
import { wrongKind } from './errors.ts';
import { type FileKind, identify } from './identify.ts';
import { readInputFile } from './input-file.ts';

/** Larger models exist, but not for a microcontroller; the limit keeps memory bounded. */
const modelLimit = 268_435_456;

export interface ModelFile {
  readonly path: string;
  /** Name without folder, for messages. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

const expected = 'an ONNX, TFLite or TensorFlow.js model';

const hints: ReadonlyMap<FileKind['key'], string> = new Map([
  ['zip', 'export the network first, for example with torch.onnx.export'],
  ['pickle', 'tinyml never runs a pickle; export the network, for example with torch.onnx.export'],
  ['hdf5', 'convert it with TensorFlow to .tflite, or with tf2onnx to .onnx'],
  ['gzip', 'unpack it first'],
  ['xz', 'unpack it first'],
  ['npz', 'this looks like data; pass it with --calib or --data'],
  ['npy', 'this looks like data; pass it with --calib or --input'],
  ['html', 'the download probably failed; fetch the raw file'],
  ['empty', 'the export or the download probably failed'],
]);

/** Reads a model named by the user, and refuses at once what is visibly something else. */
export function readModelFile(path: string): ModelFile {
  const { bytes } = readInputFile(path, { expected, limit: modelLimit });
  const kind = identify(bytes);
  const extension = extname(path).toLowerCase();
  if (kind.key === 'tflite' && extension === '.onnx') {
    throw wrongKind(path, kind.text, 'an ONNX model', 'rename it to .tflite');
  }
  if (kind.key !== 'tflite' && kind.key !== 'json' && kind.key !== 'unknown')
    throw wrongKind(path, kind.text, expected, hints.get(kind.key));
  return { path, name: basename(path), bytes };
}
