import { readFileSync } from 'node:fs';

/** A process, told from a later one that was given the same number by when it started. */
export interface ProcessMark {
  readonly pid: number;
  /** In ticks since the machine was started; empty where the system does not tell. */
  readonly started: string;
}

/** Of `/proc/PID/stat` what stands behind the name, which may hold anything; empty where there is none. */
function statFields(pid: number): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

/** The mark of a process that runs now (field 22 of proc(5)'s stat). */
export function markOf(pid: number): ProcessMark {
  return { pid, started: statFields(pid)[19] ?? '' };
}

export const ownMark = (): ProcessMark => markOf(process.pid);

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
