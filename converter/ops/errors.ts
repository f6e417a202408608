import { TinymlError } from '../../common/tinyml-error.ts';
import type { Shape } from '../ir/types.ts';

const text = (shape: Shape) => `[${shape.join(',')}]`;

/** Inputs of a node whose shapes do not fit together; the caller's node name is put in front by shape inference. */
export function shapesDoNotFit(op: string, what: string, shapes: readonly Shape[]): TinymlError {
  return new TinymlError({
    code: 'E_MODEL_SHAPE',
    exit: 1,
    what: `${op}: ${what}: ${shapes.map(text).join(' and ')}`,
    hint: 'check the model in the framework that exported it; its own shape inference should find the same fault',
  });
}

export function dtypeNotSupported(op: string, dtype: string, wanted: string): TinymlError {
  return new TinymlError({
    code: 'E_MODEL_DTYPE',
    exit: 1,
    what: `${op} cannot take ${dtype} input; it takes ${wanted}`,
    hint: 'see docs/ops.md for what each operator takes',
  });
}

/** A quantized node whose scales or zero points the integer arithmetic has no meaning for. */
export function quantizationNotSupported(op: string, what: string): TinymlError {
  return new TinymlError({
    code: 'E_MODEL_QUANTIZATION',
    exit: 1,
    what: `${op}: ${what}`,
    hint: "quantize the float model with tinyml convert --calib instead, or check the exporter's quantization parameters",
  });
}
