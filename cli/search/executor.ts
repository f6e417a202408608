import type { TrialJob, TrialResult, Workload } from './trial.ts';
import { WorkerProcess } from './worker-process.ts';

/** Where trials run. */
export interface Executor {
  /** Trials that are worth having under way at a time. */
  readonly width: number;
  /** Never rejects for what is wrong with the trial; rejects when no trial can run any more. */
  run(job: TrialJob): Promise<TrialResult>;
  close(): Promise<void>;
}

/** Worker processes on this machine, one for each of the workloads (which may differ in the port of their board). */
export function localExecutor(workloads: readonly Workload[], timeoutSeconds: number): Executor {
  const workers = workloads.map((workload) => new WorkerProcess(workload, timeoutSeconds));
  const idle = [...workers];
  return {
    width: workers.length,
    async run(job) {
      const worker = idle.shift()!;
      try {
        return await worker.run(job);
      } finally {
        idle.push(worker);
      }
    },
    close: async () => {
      await Promise.all(workers.map((worker) => worker.stop()));
    },
  };
}
