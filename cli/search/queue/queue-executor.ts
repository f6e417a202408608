import { createHash } from 'node:crypto';
import type { Job } from 'bullmq';
import { packageVersion } from '../../package-info.ts';
import type { Executor } from '../executor.ts';
import { failureOf } from '../messages.ts';
import { readTrial } from '../study-file.ts';
import type { TrialJob, TrialResult, Workload } from '../trial.ts';
import { type PackedBundle, uploadBundle } from './bundle.ts';
import { connectQueue, queueName, withoutPassword } from './connect.ts';
import { damagedJob } from './errors.ts';
import type { QueuedTrial } from './job.ts';

/** Looks after a job this often, should the server or all workers have gone. */
const lookMs = 5000;
/** A job that workers die of is given up after as many. */
const attempts = 4;
const keptSeconds = 86_400;

export interface QueuePlan {
  readonly url: string;
  /** Trials in the queue at a time. */
  readonly width: number;
  readonly studyId: string;
  readonly boardId: string;
  readonly workload: Workload;
  readonly packed: PackedBundle;
  readonly timeoutSeconds: number;
  readonly onNote: (text: string) => void;
}

/** The same trial of a study has the same id, so that one that was done while nobody listened is found again. */
function jobId({ studyId, workload }: QueuePlan, job: TrialJob): string {
  const content = JSON.stringify([job.assignment, job.rungs, workload.goal]);
  return `${studyId}-${job.number}-${createHash('sha256').update(content).digest('hex').slice(0, 12)}`;
}

function queuedTrial({ workload, packed, timeoutSeconds }: QueuePlan, job: TrialJob): QueuedTrial {
  const { inputShape, goal, metric, seed, prunes } = workload;
  const shared = {
    inputShape: inputShape.map(([name, shape]): [string, number[]] => [name, [...shape]]),
    metric,
    goal: { quality: goal.quality, limits: goal.limits.map((limit) => ({ ...limit })) },
    seed,
    prunes,
  };
  // Plain data in, plain data out: readonly is of no meaning on the way.
  return {
    version: packageVersion(),
    bundle: packed.bundle,
    timeoutSeconds,
    workload: shared,
    job: structuredClone(job) as QueuedTrial['job'],
  };
}

function resultOf(job: TrialJob, returned: unknown): TrialResult {
  const { number, assignment } = job;
  const trial = readTrial({ number, assignment, ...(returned as object) });
  if (!trial) return { state: 'failed', failure: failureOf(damagedJob('its result is none of a trial')) };
  const { number: _, assignment: __, ...result } = trial;
  return result as TrialResult;
}

/** Trials run wherever `tinyml worker --queue` runs. Throws E_PEER_MISSING, E_QUEUE. */
export async function queueExecutor(plan: QueuePlan): Promise<Executor> {
  let toldTrouble = false;
  const connection = await connectQueue(plan.url, (text) => {
    if (!toldTrouble) plan.onNote(`${withoutPassword(plan.url)}: ${text}; waiting for it to come back`);
    toldTrouble = true;
  });
  const { bullmq, redis } = connection;
  const name = queueName(plan.boardId);
  const queue = new bullmq.Queue(name, { connection: connection.connect() });
  const events = new bullmq.QueueEvents(name, { connection: connection.connect() });
  // Trouble with the connection is told once, above.
  queue.on('error', () => {});
  events.on('error', () => {});
  await events.waitUntilReady();
  const waiting = new Map<string, Job>();
  let toldLonely = false;

  async function put(id: string, job: TrialJob): Promise<Job> {
    await uploadBundle(redis, plan.packed);
    const options = {
      jobId: id,
      attempts,
      removeOnComplete: { age: keptSeconds },
      removeOnFail: true,
    };
    return queue.add('trial', queuedTrial(plan, job), options);
  }

  async function look(): Promise<void> {
    if (toldLonely || (await queue.getWorkersCount()) > 0) return;
    toldLonely = true;
    plan.onNote(
      `no worker has joined yet; start some with tinyml worker --queue ${withoutPassword(plan.url)} --board ${plan.boardId}`,
    );
  }

  /** Resolves to undefined when nothing has happened for a while. */
  async function wait(job: Job): Promise<{ readonly value: unknown } | undefined> {
    try {
      return { value: await job.waitUntilFinished(events, lookMs) };
    } catch (error) {
      if (/timed out/.test((error as Error).message)) return undefined;
      throw error;
    }
  }

  return {
    width: plan.width,
    async run(job) {
      const id = jobId(plan, job);
      try {
        for (;;) {
          // Adding what is there changes nothing; what a restarted server lost is put back.
          const queued = await put(id, job);
          waiting.set(id, queued);
          const finished = await wait(queued);
          if (finished) return resultOf(job, finished.value);
          await look();
        }
      } catch (error) {
        return { state: 'failed', failure: failureOf(damagedJob((error as Error).message)) };
      } finally {
        waiting.delete(id);
      }
    },
    async close() {
      // Those that a worker has begun cannot be taken back; their results are kept for a day.
      await Promise.allSettled([...waiting.values()].map((job) => job.remove()));
      await Promise.allSettled([queue.close(), events.close()]);
      connection.close();
    },
  };
}
