import {
  accessSync,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  type Stats,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { TinymlError } from '../../common/tinyml-error.ts';
import { outputFailed } from './errors.ts';
import { statsAt } from './final-path.ts';

export type FileContent = string | Uint8Array;

/** Turns any failure of the file system into one error that names the user's path. */
export function naming<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof TinymlError ? error : outputFailed(path, error);
  }
}

/** Paths of a rename are made durable by syncing their folder; not every system can. */
export function syncFolder(folder: string): void {
  try {
    const fd = openSync(folder, 'r');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EIO' || code === 'ENOSPC') throw error;
  }
}

/** Writes all of it: the system may take a part at a time. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

/** A new file with its content on the disk; readable by nobody else until it is known who may. */
export function writeDurably(path: string, content: FileContent, mode = 0o666): void {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  const fd = openSync(path, 'wx', mode);
  try {
    writeAll(fd, bytes);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Like mkdir -p, but ends in every case: Node's own goes round for ever where a parent cannot hold folders (/proc). */
export function makeFolders(path: string): void {
  const missing: string[] = [];
  for (let folder = path; !existsSync(folder); folder = dirname(folder)) missing.push(folder);
  for (const folder of missing.reverse()) mkdirSync(folder);
}

/** Refuses a place that cannot be written now, so that nobody works for hours to find that out. E_OUTPUT. */
export function refuseUnwritable(path: string, final: string): void {
  naming(path, () => {
    let folder = statsAt(final)?.isDirectory() ? final : dirname(final);
    while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
    // A file in place of a folder: the system's own word for it.
    if (!statsAt(folder)?.isDirectory()) readdirSync(folder);
    accessSync(folder, constants.W_OK);
  });
}

/** Gives what takes the place of something its owner and its mode. Throws where the owner may not be given. */
export function keepAccess(path: string, old: Stats): void {
  const { uid, gid } = lstatSync(path);
  if (uid !== old.uid || gid !== old.gid) chownSync(path, old.uid, old.gid);
  chmodSync(path, old.mode & 0o7777);
}

/** As `keepAccess`; where the owner may not be given, the mode counts, and some file systems have neither. */
export function keepAccessIfPossible(path: string, old: Stats): void {
  for (const give of [() => keepAccess(path, old), () => chmodSync(path, old.mode & 0o777)]) {
    try {
      give();
      return;
    } catch {
      // It stays readable for its owner alone.
    }
  }
}
