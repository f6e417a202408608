import { mkdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Lifetime } from '../lifetime.ts';
import { makeFolders, syncFolder, writeDurably } from './durable.ts';
import { entriesIn, entryAt, type FileTree, pathIn, writeTree } from './folder-tree.ts';
import { readInputFile } from './input-file.ts';
import { buildListName, isOwnFileName, reportName } from './owned-folder.ts';
import { isAbandoned, removeQuietly, temporariesBeside, temporaryBeside, waitUntil } from './temporary.ts';

/** Temporary names in a folder, of what is moved into it. */
const stem = 'incoming';
const [filesName, dropName] = ['files', 'drop.json'];
const dropLimit = 1_048_576;

function dropFile(target: string, name: string): void {
  const path = pathIn(target, name);
  const entry = entryAt(path);
  if (!entry || entry.isDirectory()) return;
  unlinkSync(path);
  try {
    for (let folder = dirname(path); folder !== target; folder = dirname(folder)) rmdirSync(folder);
  } catch {
    // It holds something else.
  }
}

function dropList(ready: string): string[] {
  const options = { expected: 'a list of files', limit: dropLimit, noFollow: true, own: true };
  const { bytes } = readInputFile(join(ready, dropName), options);
  const names: unknown = JSON.parse(new TextDecoder().decode(bytes));
  return Array.isArray(names) ? names.filter(isOwnFileName) : [];
}

/** Lists come last: until then the folder's own list is the old one. */
const isList = (name: string) => name === reportName || name === buildListName;

/** Paths of what waits, lists last. The folder may come from anywhere: links in it lead nowhere. */
function waitingIn(ready: string): string[] {
  const folder = join(ready, filesName);
  if (!entryAt(ready)?.isDirectory() || !entryAt(folder)?.isDirectory()) return [];
  const names = entriesIn(folder).filter((name) => entryAt(join(folder, name))?.isFile());
  return names.sort((a, b) => Number(isList(a)) - Number(isList(b)));
}

/** Moves what is ready into the folder around it. May begin anew wherever it was cut short. */
function finish(target: string, ready: string): void {
  const names = waitingIn(ready);
  if (names.length > 0) for (const name of dropList(ready)) dropFile(target, name);
  for (const name of names) {
    const path = pathIn(target, name);
    makeFolders(dirname(path));
    renameSync(join(ready, filesName, name), path);
  }
  removeQuietly(ready);
  syncFolder(target);
}

/**
 * Writes files into a folder that must stay where it is: a mount point, somebody's project, the one we stand in. A complete
 * copy inside of it comes first; from the moment it is called ready, `finishFilling` ends the work should this process not.
 * `drop` are files of ours that are no more.
 */
export function fillFolder(
  target: string,
  files: FileTree,
  drop: readonly string[],
  lifetime: Lifetime,
): void {
  const temporary = temporaryBeside(join(target, stem));
  const ready = temporaryBeside(join(target, stem), 'ready');
  const withdraw = lifetime.onEnd(() => removeQuietly(temporary));
  try {
    mkdirSync(temporary, { mode: 0o700 });
    mkdirSync(join(temporary, filesName));
    writeTree(join(temporary, filesName), files, target);
    writeDurably(join(temporary, dropName), JSON.stringify(drop));
    renameSync(temporary, ready);
    syncFolder(target);
    finish(target, ready);
  } finally {
    removeQuietly(temporary);
    withdraw();
  }
}

/** Ends what processes that were killed had begun in a folder; one that still lives is given a moment to end it itself. */
export function finishFilling(target: string): void {
  for (const leftover of temporariesBeside(join(target, stem))) {
    if (leftover.stage !== 'ready') {
      if (isAbandoned(leftover)) removeQuietly(leftover.path);
    } else if (leftover.owner === 'ended' || !waitUntil(() => !entryAt(leftover.path))) {
      finish(target, leftover.path);
    }
  }
}
