import { TinymlError } from '../../common/tinyml-error.ts';
import type { TrialFailure, TrialJob, TrialResult, Workload } from './trial.ts';

/** From the search to a worker process, over the channel that Node keeps between parent and child. */
export type ToWorker =
  | { readonly type: 'open'; readonly workload: Workload }
  | { readonly type: 'trial'; readonly job: TrialJob };

/** From a worker process: how a trial ended. */
export interface FromWorker {
  readonly type: 'done';
  readonly number: number;
  readonly result: TrialResult;
}

/** Any thrown value as data. */
export function failureOf(error: unknown): TrialFailure {
  if (error instanceof TinymlError) {
    const { code, exit, message, measure, hint = null } = error;
    return { code, exit, message, measure, hint };
  }
  const message = error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error);
  return { code: 'internal', exit: 70, message, measure: [], hint: null };
}
