import { TinymlError } from '../../common/tinyml-error.ts';

export function cannotGenerate(origin: string, op: string, dtype: string): TinymlError {
  return new TinymlError({
    code: 'E_CODEGEN_UNSUPPORTED',
    exit: 1,
    what: `layer ${JSON.stringify(origin)} uses ${op} on ${dtype}, which has no C kernel`,
    hint: 'see docs/ops.md for what each operator can do',
  });
}

export function outputNotComputed(port: string): TinymlError {
  return new TinymlError({
    code: 'E_CODEGEN_OUTPUT',
    exit: 1,
    what: `output ${JSON.stringify(port)} does not depend on any layer: it is a constant or an input`,
    hint: 'export the model without that output',
  });
}

export function kernelTextMissing(header: string): Error {
  return new Error(`the kernel library has no ${header}`);
}

export function runtimeHasNoOperator(origin: string, op: string): TinymlError {
  return new TinymlError({
    code: 'E_CODEGEN_TFLM',
    exit: 1,
    what: `layer ${JSON.stringify(origin)} uses ${op}, which TensorFlow Lite Micro has no kernel for`,
    hint: 'use the aot engine (--engine aot), which has one',
  });
}
