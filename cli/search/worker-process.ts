import { type ChildProcess, spawn } from 'node:child_process';
import { lastLines } from '../tools/run-tool.ts';
import { trialLate, workerCrashed } from './errors.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import { failureOf } from './messages.ts';
import type { TrialJob, TrialResult, Workload } from './trial.ts';

const wordsLimit = 8192;
/** A worker that is asked to end gets this long to end its own compilers and emulators. */
const graceMs = 2000;

/** The program and the arguments that this process was started with, up to the command. */
function workerCommand(): [string, string[]] {
  return [process.execPath, [...process.execArgv, process.argv[1]!, 'worker', '--child']];
}

/**
 * One worker: a child process of our own program that does one trial at a time. It is started at the first trial, and again
 * after it crashed or had to be stopped. It ends with us, since its channel to us closes.
 */
export class WorkerProcess {
  private readonly workload: Workload;
  private readonly timeoutSeconds: number;
  private child: ChildProcess | undefined;
  private words = '';

  constructor(workload: Workload, timeoutSeconds: number) {
    this.workload = workload;
    this.timeoutSeconds = timeoutSeconds;
  }

  /** Never rejects: what goes wrong is a failed trial. */
  async run(job: TrialJob): Promise<TrialResult> {
    const child = this.child ?? this.start();
    return new Promise((resolve) => {
      const settle = (result: TrialResult) => {
        clearTimeout(timer);
        child.off('message', onMessage).off('close', onClose).off('error', onError);
        resolve(result);
      };
      const fail = (error: Error) => settle({ state: 'failed', failure: failureOf(error) });
      const onMessage = (message: FromWorker) => {
        if (message.type === 'done' && message.number === job.number) settle(message.result);
      };
      const onClose = (code: number | null, signal: string | null) => {
        this.child = undefined;
        const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
        fail(workerCrashed(how, lastLines(this.words)));
      };
      const onError = (error: Error) => {
        this.child = undefined;
        fail(workerCrashed(error.message, []));
      };
      const timer = setTimeout(() => {
        void this.stop();
        fail(trialLate(this.timeoutSeconds));
      }, this.timeoutSeconds * 1000);
      child.on('message', onMessage).on('close', onClose).on('error', onError);
      child.send({ type: 'trial', job } satisfies ToWorker);
    });
  }

  /** Ends the process and what it started; resolves when it is gone. */
  async stop(): Promise<void> {
    const child = this.child;
    this.child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    if (child.connected) child.disconnect();
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
    await gone;
    clearTimeout(timer);
  }

  private start(): ChildProcess {
    const [program, args] = workerCommand();
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], windowsHide: true });
    this.child = child;
    this.words = '';
    child.on('error', () => {});
    child.stderr?.on('data', (chunk: Buffer) => {
      this.words = (this.words + chunk.toString()).slice(-wordsLimit);
    });
    child.send({ type: 'open', workload: this.workload } satisfies ToWorker, () => {});
    return child;
  }
}
