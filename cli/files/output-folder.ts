import { existsSync, mkdirSync, renameSync, type Stats } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import type { Context } from '../context.ts';
import type { Lifetime } from '../lifetime.ts';
import { claimFolder } from './claim-folder.ts';
import { makeFolders, naming, syncFolder } from './durable.ts';
import { filesNotOurs, outputNotPlain } from './errors.ts';
import { exchangeFolders } from './exchange-folder.ts';
import { fillFolder } from './fill-folder.ts';
import { finalPath, statsAt } from './final-path.ts';
import { entryAt, type FileTree, pathIn, writeTree } from './folder-tree.ts';
import { refuseOverInputs } from './guard.ts';
import { recoverFolder } from './recover-folder.ts';
import { removeQuietly, temporaryBeside } from './temporary.ts';

interface Plan {
  readonly path: string;
  readonly target: string;
  readonly files: FileTree;
  readonly own: ReadonlySet<string>;
  /** Whether the folder is ours as a whole, so that another may take its place. */
  readonly isOurs: boolean;
  readonly lifetime: Lifetime;
}

/** Looks at all that the writing would touch before it touches any of it; with `force` tells what of others it replaces. */
function plan({ output, lifetime }: Context, path: string, files: FileTree, force: boolean): Plan {
  const target = finalPath(path);
  recoverFolder(target);
  const { own, isOurs } = claimFolder(path, target, force);
  const touched = new Set([...files.keys(), ...own]);
  for (const name of touched) refuseOverInputs(join(path, name), finalPath(pathIn(target, name)));
  for (const name of files.keys()) {
    if (entryAt(join(target, name))?.isDirectory()) throw outputNotPlain(join(path, name), 'a folder');
  }
  const foreign = [...files.keys()].filter((name) => !own.has(name) && entryAt(join(target, name)));
  if (foreign.length > 0 && !force) throw filesNotOurs(path, foreign);
  if (foreign.length > 0) output.warn(`${path}: --force replaces ${foreign.join(', ')}`);
  return { path, target, files, own, isOurs, lifetime };
}

function isStoodIn(folder: string): boolean {
  const here = process.cwd();
  return here === folder || here.startsWith(folder + sep);
}

/** What another run that writes the same folder at the same moment makes of our renames. */
const raceCodes = new Set(['ENOTEMPTY', 'EEXIST', 'ENOENT']);
const attempts = 8;

/** Why a folder cannot change places with another: a mount point, links that are not to be had, somebody else's folder. */
const fixedCodes = new Set(['EBUSY', 'EXDEV', 'EPERM', 'EACCES', 'EROFS', 'ENOTSUP', 'EMLINK']);

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? '';

/** Writes the tree beside the target and lets both change places, or gives it the name where nothing stands. */
function placeBeside({ target, files, own, lifetime }: Plan, existing: Stats | undefined): void {
  const temporary = temporaryBeside(target);
  const withdraw = lifetime.onEnd(() => removeQuietly(temporary));
  try {
    mkdirSync(temporary, existing ? { mode: 0o700 } : undefined);
    writeTree(temporary, files, target);
    for (let attempt = 1; ; attempt++) {
      try {
        if (statsAt(target) === undefined) renameSync(temporary, target);
        else exchangeFolders(target, temporary, own);
        return;
      } catch (error) {
        if (!raceCodes.has(codeOf(error)) || attempt === attempts || !existsSync(temporary)) throw error;
      }
    }
  } finally {
    removeQuietly(temporary);
    withdraw();
  }
}

function place(work: Plan): void {
  const { target, files, own, isOurs, lifetime } = work;
  const existing = statsAt(target);
  const fill = () =>
    fillFolder(
      target,
      files,
      [...own].filter((name) => !files.has(name)),
      lifetime,
    );
  if (existing && (!isOurs || isStoodIn(target))) {
    fill();
    return;
  }
  try {
    placeBeside(work, existing);
  } catch (error) {
    if (!existing || !fixedCodes.has(codeOf(error))) throw error;
    fill();
  }
}

/**
 * Writes a folder as a whole: a complete copy beside it, then an exchange of names; where that cannot be, a complete copy
 * inside and then file by file. At every moment a folder with all old or all new files stands there, or the next command
 * that reads or writes it sees to that. Files that are not ours stay, and so do the folder's owner and mode.
 * With `force` also into a folder of somebody else's. E_OUTPUT, E_OUTPUT_FOREIGN, E_OUTPUT_IS_INPUT.
 */
export function writeFolderAtomically(context: Context, path: string, files: FileTree, force: boolean): void {
  naming(path, () => {
    const work = plan(context, path, files, force);
    makeFolders(dirname(work.target));
    place(work);
    syncFolder(dirname(work.target));
  });
}
