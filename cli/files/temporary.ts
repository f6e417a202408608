import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isRunning, ownMark } from '../../common/process-mark.ts';
import { makeTemporaryFolder, removeQuietly } from '../../common/temporary-folder.ts';
import type { Lifetime } from '../lifetime.ts';

export { removeQuietly } from '../../common/temporary-folder.ts';

/** `.NAME.tinyml-PID.STARTED-RANDOM.tmp` beside NAME: the process that made it can be told from its name. */
export function temporaryBeside(path: string): string {
  const { pid, started } = ownMark();
  const who = started === '' ? pid : `${pid}.${started}`;
  const name = `.${basename(path).slice(0, 200)}.tinyml-${who}-${randomBytes(4).toString('hex')}.tmp`;
  return join(dirname(path), name);
}

const pattern = /^\.(.*)\.tinyml-(\d+)(?:\.(\d+))?-[0-9a-f]{8}\.tmp$/;

/** Leftovers beside `path` of runs that were killed: their paths. */
export function abandonedBeside(path: string): string[] {
  const folder = dirname(path);
  let entries: string[];
  try {
    entries = readdirSync(folder);
  } catch {
    return [];
  }
  const name = basename(path).slice(0, 200);
  return entries
    .filter((entry) => {
      const match = pattern.exec(entry);
      return (
        match !== null && match[1] === name && !isRunning({ pid: Number(match[2]), started: match[3] ?? '' })
      );
    })
    .map((entry) => join(folder, entry));
}

/** A working folder that is gone when the command ends. */
export function temporaryFolder(lifetime: Lifetime, purpose: string): string {
  const folder = makeTemporaryFolder(purpose);
  lifetime.onEnd(() => removeQuietly(folder));
  return folder;
}
