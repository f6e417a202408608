import { TinymlError } from '../../common/tinyml-error.ts';

export function cannotEvaluate(origin: string, op: string, dtype: string): TinymlError {
  return new TinymlError({
    code: 'E_EVALUATE_UNSUPPORTED',
    exit: 1,
    what: `node ${JSON.stringify(origin)} uses ${op}, which has no ${dtype} evaluation`,
    hint: 'see docs/ops.md for what each operator can do',
  });
}

export function wrongInputBytes(port: string, expected: number, given: number): TinymlError {
  return new TinymlError({
    code: 'E_EVALUATE_INPUT',
    exit: 1,
    what: `input ${JSON.stringify(port)} takes ${expected} bytes of its own type, not ${given}`,
    hint: 'give one array per input, in the order that tinyml inspect lists them',
  });
}

export function valueOutOfRange(input: string, value: number, dtype: string): TinymlError {
  return new TinymlError({
    code: 'E_EVALUATE_RANGE',
    exit: 1,
    what: `input ${JSON.stringify(input)} of the model is ${dtype}, which cannot hold ${value}`,
    measure: 'whole numbers are taken as the codes that such an input stores',
    hint: "save real numbers as float32 (x.astype(np.float32)) to have them quantized by the input's scale",
  });
}
