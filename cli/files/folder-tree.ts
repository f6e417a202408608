import { lstatSync, readdirSync, readlinkSync, type Stats } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { type FileContent, keepAccessIfPossible, makeFolders, writeDurably } from './durable.ts';
import { outputNotPlain } from './errors.ts';

export type FileTree = ReadonlyMap<string, FileContent>;

/** What stands at a path itself, be it a link. */
export function entryAt(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/**
 * The path of `name` below a folder. Names are ours or from a list that lies in the folder; neither may lead out of it,
 * by itself or through a link on the way.
 */
export function pathIn(folder: string, name: string): string {
  const path = resolve(folder, name);
  if (!path.startsWith(folder.endsWith(sep) ? folder : folder + sep))
    throw outputNotPlain(name, 'outside the output folder');
  for (let parent = dirname(path); parent !== folder; parent = dirname(parent)) {
    const entry = entryAt(parent);
    if (entry && !entry.isDirectory())
      throw outputNotPlain(
        parent,
        entry.isSymbolicLink() ? `a link to ${readlinkSync(parent)}` : 'no folder',
      );
  }
  return path;
}

/** Writes all files below `folder`. Those that will replace a file below `old` get its owner and mode. */
export function writeTree(folder: string, files: FileTree, old: string): void {
  for (const [name, content] of files) {
    const path = pathIn(folder, name);
    makeFolders(dirname(path));
    const replaced = entryAt(join(old, name));
    const keeps = replaced?.isFile() === true;
    writeDurably(path, content, keeps ? 0o600 : undefined);
    if (keeps) keepAccessIfPossible(path, replaced);
  }
}

/** Paths of all files and links below a folder, and of folders that hold nothing. */
export function entriesIn(folder: string): string[] {
  const found: string[] = [];
  const pending = readdirSync(folder);
  while (pending.length > 0) {
    const name = pending.pop()!;
    const children = lstatSync(join(folder, name)).isDirectory() ? readdirSync(join(folder, name)) : [];
    if (children.length === 0) found.push(name);
    pending.push(...children.map((child) => `${name}/${child}`));
  }
  return found;
}
