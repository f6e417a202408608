import { TinymlError } from '../../common/tinyml-error.ts';

export function notModelFolder(path: string): TinymlError {
  return new TinymlError({
    code: 'E_NOT_CONVERTED',
    exit: 1,
    what: `${path}: is not a folder that tinyml convert wrote (it has no report.json)`,
    hint: 'tinyml convert MODEL --calib DATA -o DIR makes one',
  });
}

export function damagedFolder(path: string, what: string): TinymlError {
  return new TinymlError({
    code: 'E_NOT_CONVERTED',
    exit: 1,
    what: `${path}: ${what}`,
    hint: 'convert the model again: tinyml convert MODEL --calib DATA -o DIR',
  });
}

export function exportNeedsFloat(): TinymlError {
  return new TinymlError({
    code: 'E_EXPORT',
    exit: 1,
    what: '--to onnx writes a float model, and this one is quantized already',
    hint: 'use --to onnx-qdq or --to tflite',
  });
}

export function exportNeedsQuantized(): TinymlError {
  return new TinymlError({
    code: 'E_EXPORT',
    exit: 1,
    what: '--to onnx-qdq writes a quantized model, and --quantize float leaves it in float',
    hint: 'give --calib and leave --quantize float out, or use --to onnx',
  });
}
