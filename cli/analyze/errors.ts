import { TinymlError } from '../../common/tinyml-error.ts';

export function analyzeNeedsFloat(model: string): TinymlError {
  return new TinymlError({
    code: 'E_ANALYZE',
    exit: 1,
    what: `${model}: is quantized already, so there is nothing to choose`,
    hint: 'give the float model that it was made from',
  });
}
