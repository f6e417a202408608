import { randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { crc32 } from '../../common/crc32.ts';
import { noTemporaryPlace } from '../../common/errors.ts';
import {
  markForm,
  markText,
  ownMark,
  type ProcessState,
  readMark,
  stateOf,
} from '../../common/process-mark.ts';
import { makeTemporaryFolder, removeQuietly } from '../../common/temporary-folder.ts';
import type { Lifetime } from '../lifetime.ts';
import type { FileContent } from './durable.ts';

export { removeQuietly } from '../../common/temporary-folder.ts';

/** What stands under a temporary name: what is being written, what is whole, and what waits for that to take its place. */
type Stage = 'tmp' | 'ready' | 'old';

/** Names of 255 bytes are the longest that file systems take; ours add some 80. */
const stemBytes = 150;
/** What nobody here can ask after is left alone so long. */
const patienceMs = 3_600_000;

/** What tells temporary names of one file from those of others. */
function stemOf(path: string): string {
  const name = basename(path);
  const bytes = new TextEncoder().encode(name);
  return bytes.length <= stemBytes ? name : crc32(bytes).toString(16);
}

/** `.NAME.tinyml-PROCESS-RANDOM.tmp` beside NAME: the process that made it can be told from its name. */
export function temporaryBeside(path: string, stage: Stage = 'tmp'): string {
  const random = randomBytes(4).toString('hex');
  return join(dirname(path), `.${stemOf(path)}.tinyml-${markText(ownMark())}-${random}.${stage}`);
}

export interface Leftover {
  readonly path: string;
  readonly stage: Stage;
  readonly owner: ProcessState;
}

const form = new RegExp(`^\\.(.*)\\.tinyml-${markForm}-[0-9a-f]{8}\\.(tmp|ready|old)$`);

/** Whether a name is one of ours for something that is not finished. */
export function isTemporaryName(name: string): boolean {
  return form.test(name);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** All that stands beside `path` under its temporary names. */
export function temporariesBeside(path: string): Leftover[] {
  const folder = dirname(path);
  return namesIn(folder).flatMap((name) => {
    const [, stem, ...groups] = form.exec(name) ?? [];
    if (stem !== stemOf(path)) return [];
    return [{ path: join(folder, name), stage: groups[3] as Stage, owner: stateOf(readMark(groups)) }];
  });
}

/** Whether nobody will come back for it. */
export function isAbandoned({ path, owner }: Leftover): boolean {
  if (owner !== 'elsewhere') return owner === 'ended';
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats !== undefined && Date.now() - stats.ctimeMs > patienceMs;
}

/** Removes what killed runs were writing beside `path`. */
export function removeAbandonedBeside(path: string): void {
  for (const leftover of temporariesBeside(path)) {
    if (leftover.stage === 'tmp' && isAbandoned(leftover)) removeQuietly(leftover.path);
  }
}

/** What another process does between two renames takes a moment; one that needs longer is no more. */
const momentMs = 500;
const stepMs = 10;

/** Waits a moment for something that another process is about to do; whether it did. */
export function waitUntil(isSo: () => boolean): boolean {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let waited = 0; !isSo() && waited < momentMs; waited += stepMs) Atomics.wait(pause, 0, 0, stepMs);
  return isSo();
}

/** What the system says of its folder for temporary files becomes E_TEMPORARY. */
function inTemporary<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw noTemporaryPlace(tmpdir(), error);
  }
}

/** A working folder that is gone when the command ends. E_TEMPORARY. */
export function temporaryFolder(lifetime: Lifetime, purpose: string): string {
  const folder = makeTemporaryFolder(purpose);
  lifetime.onEnd(() => removeQuietly(folder));
  return folder;
}

/** Makes a folder below a temporary one. E_TEMPORARY. */
export function makeTemporary(folder: string): void {
  inTemporary(() => mkdirSync(folder, { recursive: true }));
}

/** Writes a file, and the folders that it needs, into a temporary folder; returns its path. E_TEMPORARY. */
export function writeTemporary(folder: string, name: string, content: FileContent): string {
  const path = join(folder, name);
  makeTemporary(dirname(path));
  inTemporary(() => writeFileSync(path, content));
  return path;
}
