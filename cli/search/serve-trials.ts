import type { Context } from '../context.ts';
import { type FromWorker, failureOf, type ToWorker } from './messages.ts';
import type { Bench } from './run-trial.ts';
import type { TrialResult, Workload } from './trial.ts';

/** The end of a worker process: answers trials until the search that started it is gone. */
export async function serveTrials(context: Context): Promise<void> {
  const { openWorkload, runTrial } = await import('./run-trial.ts');
  const say = (message: FromWorker) => process.send?.(message, () => {});
  let workload: Workload | undefined;
  let bench: Bench | undefined;

  async function answer(message: ToWorker & { type: 'trial' }): Promise<TrialResult> {
    try {
      bench ??= await openWorkload(context, workload!);
      return await runTrial(context, bench, message.job);
    } catch (error) {
      context.lifetime.signal.throwIfAborted();
      return { state: 'failed', failure: failureOf(error) };
    }
  }

  await new Promise<void>((resolve) => {
    process.on('message', (message: ToWorker) => {
      if (message.type === 'open') workload = message.workload;
      else {
        void answer(message).then(
          (result) => say({ type: 'done', number: message.job.number, result }),
          () => {},
        );
      }
    });
    process.on('disconnect', resolve);
    context.lifetime.signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
