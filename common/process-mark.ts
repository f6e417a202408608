import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { crc32 } from './crc32.ts';

/** A process, told from a later one that was given the same number by when it started. */
export interface ProcessMark {
  readonly pid: number;
  /** In ticks since the machine was started; empty where the system does not tell. */
  readonly started: string;
  /** Where process numbers mean this: the machine since its start, and the container. Empty where nobody said. */
  readonly world?: string;
}

function textOf(read: () => string): string {
  try {
    return read().trim();
  } catch {
    return '';
  }
}

/** Of `/proc/PID/stat` what stands behind the name, which may hold anything; empty where there is none. */
function statFields(pid: number): readonly string[] {
  const stat = textOf(() => readFileSync(`/proc/${pid}/stat`, 'latin1'));
  return stat === '' ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** The mark of a process that runs now (field 22 of proc(5)'s stat). */
export function markOf(pid: number): ProcessMark {
  return { pid, started: statFields(pid)[19] ?? '' };
}

let world: string | undefined;

function ownWorld(): string {
  const boot = () => textOf(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1')) || hostname();
  const container = () => textOf(() => readlinkSync('/proc/self/ns/pid'));
  world ??= crc32(new TextEncoder().encode(`${boot()} ${container()}`))
    .toString(16)
    .padStart(8, '0');
  return world;
}

export const ownMark = (): ProcessMark => ({ ...markOf(process.pid), world: ownWorld() });

/** Whether that very process still runs. One that only waits for its parent to notice its end does not. */
export function isRunning({ pid, started }: ProcessMark): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const fields = statFields(pid);
  if (fields[0] === 'Z' || fields[0] === 'X') return false;
  const now = fields[19] ?? '';
  return now === '' || started === '' || now === started;
}

/** `elsewhere`: of another machine, or of this one in another container or before its last start; nobody here can see it. */
export type ProcessState = 'running' | 'ended' | 'elsewhere';

export function stateOf(mark: ProcessMark): ProcessState {
  if (mark.world && mark.world !== ownWorld()) return 'elsewhere';
  return isRunning(mark) ? 'running' : 'ended';
}

/** A mark in a file's name, as part of a regular expression with three groups: `PID.STARTED.WORLD`. */
export const markForm = String.raw`(\d+)(?:\.(\d+))?(?:\.([0-9a-f]{8}))?`;

export function markText({ pid, started, world = '' }: ProcessMark): string {
  return started === '' ? String(pid) : `${pid}.${started}${world && `.${world}`}`;
}

/** From the groups of `markForm`. */
export function readMark([pid, started = '', world = '']: readonly (string | undefined)[]): ProcessMark {
  return { pid: Number(pid), started, world };
}
