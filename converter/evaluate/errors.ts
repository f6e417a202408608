import { TinymlError } from '../../common/tinyml-error.ts';

export function cannotEvaluate(origin: string, op: string, dtype: string): TinymlError {
  return new TinymlError({
    code: 'E_EVALUATE_UNSUPPORTED',
    exit: 1,
    what: `node ${JSON.stringify(origin)} uses ${op}, which has no ${dtype} evaluation`,
    hint: 'see docs/ops.md for what each operator can do',
  });
}
