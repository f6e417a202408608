import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { folderNotOurs, outputNotPlain } from './errors.ts';
import { statsAt } from './final-path.ts';
import { isOwnOutput } from './guard.ts';
import { describeStats } from './input-file.ts';
import { ownFilesOf } from './owned-folder.ts';
import { isTemporaryName } from './temporary.ts';

/** What systems leave in folders that people call empty. */
const dust: ReadonlySet<string> = new Set([
  '.DS_Store',
  '.gitkeep',
  'Thumbs.db',
  'desktop.ini',
  'lost+found',
]);

/** What of a folder may be replaced, and whether all that is there may stay where it is. */
export interface Claim {
  /** Files of ours from an earlier run. */
  readonly own: ReadonlySet<string>;
  /** Whether nothing of somebody else's stands there. */
  readonly isOurs: boolean;
}

function isForeign(folder: string, name: string): boolean {
  return !dust.has(name) && !isTemporaryName(name) && !isOwnOutput(join(folder, name));
}

/**
 * Whether a folder may be written: one that is not there, that is empty, or that tinyml wrote; with `force` any. `folder`
 * is a final path, `path` the user's name of it. Throws E_OUTPUT_FOREIGN, and E_OUTPUT where no folder stands.
 */
export function claimFolder(path: string, folder: string, force: boolean): Claim {
  const stats = statsAt(folder);
  if (stats && !stats.isDirectory()) throw outputNotPlain(path, describeStats(stats));
  const own = stats && ownFilesOf(folder);
  if (!stats || own) return { own: own ?? new Set(), isOurs: true };
  const foreign = readdirSync(folder).filter((name) => isForeign(folder, name));
  if (foreign.length > 0 && !force) throw folderNotOurs(path, foreign.sort());
  return { own: new Set(), isOurs: foreign.length === 0 };
}
