import { join } from 'node:path';
import type { Board } from '../../boards/load.ts';
import type { Context } from '../context.ts';
import type { FileContent } from '../files/durable.ts';
import { writeFolderAtomically } from '../files/output-folder.ts';
import { buildListName, firmwareName } from '../files/owned-folder.ts';
import type { ForceFlag } from '../options.ts';
import { jsonText } from '../output.ts';
import { packageVersion } from '../package-info.ts';

/** Writes what was built for a board into its folder of a model folder, with a list of it; returns the folder's path. */
export function writeBuildFolder(
  context: Context,
  model: string,
  name: string,
  board: Board,
  files: ReadonlyMap<string, FileContent>,
  { force = false }: ForceFlag,
): string {
  const list = { tool: 'tinyml', version: packageVersion(), board: board.id, files: [...files.keys()] };
  const folder = join(model, firmwareName, name);
  writeFolderAtomically(context, folder, new Map([...files, [buildListName, jsonText(list)]]), force);
  return folder;
}
