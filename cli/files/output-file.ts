import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  realpathSync,
  renameSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { TinymlError } from '../../common/tinyml-error.ts';
import type { Lifetime } from '../lifetime.ts';
import { outputFailed, outputIsInput, outputNotPlain } from './errors.ts';
import { describeStats } from './input-file.ts';
import { abandonedBeside, removeQuietly, temporaryBeside } from './temporary.ts';

export type FileContent = string | Uint8Array;

/** Turns any failure of the file system into one error that names the user's path. */
function naming<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof TinymlError ? error : outputFailed(path, error);
  }
}

/** Paths of a rename are made durable by syncing their folder; not every system can. */
function syncFolder(folder: string): void {
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

function writeDurably(path: string, content: FileContent): void {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  const fd = openSync(path, 'wx');
  try {
    for (let offset = 0; offset < bytes.length; ) {
      offset += writeSync(fd, bytes, offset, bytes.length - offset);
    }
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function statsAt(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

/** Like mkdir -p, but ends in every case: Node's own goes round for ever where a parent cannot hold folders (/proc). */
function makeFolders(path: string): void {
  const missing: string[] = [];
  for (let folder = path; !existsSync(folder); folder = dirname(folder)) missing.push(folder);
  for (const folder of missing.reverse()) mkdirSync(folder);
}

/** Where a write through a symbolic link lands. */
function finalPath(path: string): string {
  const absolute = resolve(path);
  return realPath(absolute) ?? join(realPath(dirname(absolute)) ?? dirname(absolute), basename(absolute));
}

/** Asks once: between two questions another run may have moved a folder. */
function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** Refuses an output that is the same file as one of the command's inputs. */
export function refuseInputs(path: string, inputs: readonly string[]): void {
  const target = statsAt(path);
  if (!target) return;
  for (const input of inputs) {
    const stats = statsAt(input);
    if (stats && stats.dev === target.dev && stats.ino === target.ino) throw outputIsInput(path);
  }
}

/**
 * Writes one file so that at every moment either the old content or the whole new one stands at `path`:
 * temporary name in the same folder, fsync, rename. Leftovers of killed runs are removed.
 */
export function writeFileAtomically(path: string, content: FileContent, lifetime: Lifetime): void {
  naming(path, () => {
    const target = finalPath(path);
    const existing = statsAt(target);
    if (existing && !existing.isFile()) throw outputNotPlain(path, describeStats(existing));
    makeFolders(dirname(target));
    for (const leftover of abandonedBeside(target)) removeQuietly(leftover);
    const temporary = temporaryBeside(target);
    const withdraw = lifetime.onEnd(() => removeQuietly(temporary));
    try {
      writeDurably(temporary, content);
      renameSync(temporary, target);
      syncFolder(dirname(target));
    } finally {
      removeQuietly(temporary);
      withdraw();
    }
  });
}

/** The relative path `name` under `folder`; names come from generated code and are checked all the same. */
function inside(folder: string, name: string): string {
  const path = resolve(folder, name);
  if (!path.startsWith(folder + sep)) throw outputNotPlain(name, 'outside the output folder');
  return path;
}

function writeTree(folder: string, files: ReadonlyMap<string, FileContent>): void {
  for (const [name, content] of files) {
    const path = inside(folder, name);
    makeFolders(dirname(path));
    writeDurably(path, content);
  }
}

export interface OutputFolderOptions {
  /** Entries of an existing folder that this command made earlier; all others are the user's and are kept. */
  readonly ours: readonly string[];
  readonly inputs: readonly string[];
}

/**
 * Writes a folder as a whole: a complete copy beside it, then an exchange of names. Entries in an existing folder
 * that are not `ours` are kept. Where the exchange cannot be (the folder is not one of ours, or somebody stands in
 * it) the files are renamed into it one by one, in the order of the map.
 */
export function writeFolderAtomically(
  path: string,
  files: ReadonlyMap<string, FileContent>,
  lifetime: Lifetime,
  options: OutputFolderOptions,
): void {
  naming(path, () => {
    recoverFolder(finalPath(path));
    const target = finalPath(path);
    const existing = statsAt(target);
    if (existing && !existing.isDirectory()) throw outputNotPlain(path, describeStats(existing));
    for (const name of files.keys()) refuseInputs(inside(target, name), options.inputs);
    makeFolders(dirname(target));
    const temporary = temporaryBeside(target);
    const withdraw = lifetime.onEnd(() => removeQuietly(temporary));
    try {
      mkdirSync(temporary);
      writeTree(temporary, files);
      place(target, temporary, files, options.ours);
      syncFolder(dirname(target));
    } finally {
      removeQuietly(temporary);
      withdraw();
    }
  });
}

/** What another run that writes the same folder at the same moment makes of our renames. */
const raceCodes = new Set(['ENOTEMPTY', 'EEXIST', 'ENOENT']);
const placeAttempts = 8;

/** Puts a complete folder where it belongs, by the way that what stands there now allows. */
function place(
  target: string,
  temporary: string,
  files: ReadonlyMap<string, FileContent>,
  ours: readonly string[],
): void {
  for (let attempt = 1; ; attempt++) {
    try {
      if (statsAt(target) === undefined) renameSync(temporary, target);
      else if (ours.length > 0 && !isStoodIn(target)) exchange(target, temporary, ours);
      else moveInto(target, temporary, files);
      return;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      if (!raceCodes.has(code) || attempt === placeAttempts || !existsSync(temporary)) throw error;
    }
  }
}

function isStoodIn(folder: string): boolean {
  const here = process.cwd();
  return here === folder || here.startsWith(folder + sep);
}

const retiredSuffix = '.old';

/** The old folder steps aside and the new one takes its name; what is not ours is linked into the new one first. */
function exchange(target: string, temporary: string, ours: readonly string[]): void {
  keepForeign(target, temporary, new Set(ours));
  const retired = temporaryBeside(target + retiredSuffix);
  renameSync(target, retired);
  try {
    renameSync(temporary, target);
  } catch (error) {
    if (existsSync(target)) removeQuietly(retired);
    else renameSync(retired, target);
    throw error;
  }
  removeQuietly(retired);
}

function keepForeign(from: string, to: string, ours: ReadonlySet<string>): void {
  const pending = readdirSync(from)
    .filter((entry) => !ours.has(entry) && !existsSync(join(to, entry)))
    .map((entry) => entry);
  while (pending.length > 0) {
    const entry = pending.pop()!;
    if (lstatSync(join(from, entry)).isDirectory()) {
      mkdirSync(join(to, entry));
      pending.push(...readdirSync(join(from, entry)).map((child) => join(entry, child)));
    } else {
      linkSync(join(from, entry), join(to, entry));
    }
  }
}

function moveInto(target: string, temporary: string, files: ReadonlyMap<string, FileContent>): void {
  for (const name of files.keys()) {
    const path = join(target, name);
    if (statsAt(path)?.isDirectory()) throw outputNotPlain(path, 'a folder');
  }
  for (const name of files.keys()) {
    makeFolders(dirname(join(target, name)));
    renameSync(join(temporary, name), join(target, name));
  }
}

/** After a run that was killed: puts a folder back that had stepped aside, and removes what was half made. */
function recoverFolder(target: string): void {
  for (const retired of abandonedBeside(target + retiredSuffix)) {
    if (existsSync(target)) removeQuietly(retired);
    else renameSync(retired, target);
  }
  for (const leftover of abandonedBeside(target)) removeQuietly(leftover);
}
