import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Context } from '../../context.ts';
import { temporaryFolder } from '../../files/temporary.ts';
import { packageVersion } from '../../package-info.ts';
import { failureOf } from '../messages.ts';
import type { TrialResult, Workload } from '../trial.ts';
import { WorkerProcess } from '../worker-process.ts';
import { type Bundle, downloadBundle } from './bundle.ts';
import { connectQueue, queueName, withoutPassword } from './connect.ts';
import { otherVersion } from './errors.ts';
import { type QueuedTrial, readQueuedTrial } from './job.ts';

/** A worker that has not been heard of for so long is taken for dead, and its trial given to another. */
const lockMs = 15_000;
const stalledMs = 5000;
const mostStalls = 4;

export interface QueueWorkerOptions {
  readonly url: string;
  /** As the user named it: an id or a file. */
  readonly board: string;
  readonly boardId: string;
  readonly port: string | null;
  readonly jobs: number;
}

/** One slot of a queue worker: a worker process that is kept while the jobs are of the same search. */
class Slot {
  private key = '';
  private process: WorkerProcess | undefined;

  async run(trial: QueuedTrial, workload: Workload): Promise<TrialResult> {
    const key = JSON.stringify([workload, trial.timeoutSeconds]);
    if (key !== this.key) {
      await this.stop();
      this.key = key;
      this.process = new WorkerProcess(workload, trial.timeoutSeconds);
    }
    return this.process!.run(trial.job);
  }

  async stop(): Promise<void> {
    this.key = '';
    await this.process?.stop();
  }
}

/** Takes trials from the queue of one kind of board until the command is interrupted. Throws E_PEER_MISSING, E_QUEUE. */
export async function serveQueue(context: Context, options: QueueWorkerOptions): Promise<void> {
  const { output, lifetime } = context;
  const connection = await connectQueue(options.url, (text) => output.detail(text));
  const folder = temporaryFolder(lifetime, 'worker');
  const slots = Array.from({ length: options.jobs }, () => new Slot());
  const idle = [...slots];
  const downloads = new Map<string, Promise<Awaited<ReturnType<typeof downloadBundle>>>>();

  function filesOf(bundle: Bundle) {
    const key = createHash('sha256').update(JSON.stringify(bundle)).digest('hex').slice(0, 16);
    const started = downloads.get(key) ?? downloadBundle(connection.redis, bundle, join(folder, key));
    downloads.set(key, started);
    started.catch(() => downloads.delete(key));
    return started;
  }

  async function perform(document: unknown): Promise<TrialResult> {
    const trial = readQueuedTrial(document);
    if (trial.version !== packageVersion()) throw otherVersion(packageVersion(), trial.version);
    const files = await filesOf(trial.bundle);
    const { board, port } = options;
    const slot = idle.shift()!;
    try {
      return await slot.run(trial, { ...trial.workload, ...files, board, port });
    } finally {
      idle.push(slot);
    }
  }

  const worker = new connection.bullmq.Worker(
    queueName(options.boardId),
    async ({ data }: { data: unknown }) => {
      const result = await perform(data).catch(
        (error): TrialResult => ({ state: 'failed', failure: failureOf(error) }),
      );
      // The trial was cut short by the end of this worker, so it is another's to do.
      if (lifetime.signal.aborted) throw new Error('the worker was stopped');
      const number = (data as { job?: { number?: number } }).job?.number ?? '';
      output.note(`trial ${number}: ${result.state === 'failed' ? result.failure.message : result.state}`);
      return result;
    },
    {
      connection: connection.connect(),
      concurrency: options.jobs,
      lockDuration: lockMs,
      stalledInterval: stalledMs,
      maxStalledCount: mostStalls,
    },
  );
  worker.on('error', (error) => output.detail(error.message));
  await worker.waitUntilReady();
  output.note(`waiting for trials on ${options.boardId} from ${withoutPassword(options.url)}; Ctrl-C ends`);
  await new Promise<void>((resolve) => {
    if (lifetime.signal.aborted) resolve();
    lifetime.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await Promise.all(slots.map((slot) => slot.stop()));
  await worker.close();
  connection.close();
}
