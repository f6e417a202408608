import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { keepAccess } from './durable.ts';
import { entriesIn } from './folder-tree.ts';
import { removeQuietly, temporaryBeside } from './temporary.ts';

/** Makes a folder, and those above it, as they are in the old tree. */
function copyFolders(from: string, to: string, name: string): void {
  if (name === '.' || existsSync(join(to, name))) return;
  copyFolders(from, to, dirname(name));
  const old = lstatSync(join(from, name));
  mkdirSync(join(to, name));
  keepAccess(join(to, name), old);
}

/** The same file under a second name, the same link, or the same empty folder. */
function keepEntry(from: string, to: string, name: string): void {
  const [old, place] = [join(from, name), join(to, name)];
  const stats = lstatSync(old);
  copyFolders(from, to, stats.isDirectory() ? name : dirname(name));
  if (stats.isSymbolicLink()) symlinkSync(readlinkSync(old), place);
  else if (!stats.isDirectory()) linkSync(old, place);
}

/** Brings what is not ours into the new tree, where nothing of the same name stands. */
function keepForeign(from: string, to: string, own: ReadonlySet<string>): void {
  const kept = entriesIn(from).filter((name) => !own.has(name) && !existsSync(join(to, name)));
  for (const name of kept) keepEntry(from, to, name);
  for (const folder of new Set(kept.map(dirname).filter((name) => name !== '.'))) {
    const { atime, mtime } = lstatSync(join(from, folder));
    utimesSync(join(to, folder), atime, mtime);
  }
}

/**
 * Puts a complete folder in the place of another: the old one steps aside, the new one takes its name. Files that are not
 * `own` are linked into the new one first; its owner and mode are the old one's.
 */
export function exchangeFolders(target: string, complete: string, own: ReadonlySet<string>): void {
  keepForeign(target, complete, own);
  keepAccess(complete, lstatSync(target));
  const retired = temporaryBeside(target, 'old');
  renameSync(target, retired);
  try {
    renameSync(complete, target);
  } catch (error) {
    if (existsSync(target)) removeQuietly(retired);
    else renameSync(retired, target);
    throw error;
  }
  removeQuietly(retired);
}
