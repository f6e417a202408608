import { basename } from 'node:path';
import { type Board, loadBoard, readBoard } from '../../boards/load.ts';
import { readInputFile } from '../files/input-file.ts';

const boardFileLimit = 1_048_576;

/** The board that `--board` names: an id, or the path of a board file of the user's own. */
export function chooseBoard(name: string): Board {
  if (!/[/\\]|\.json$/.test(name)) return loadBoard(name);
  const { bytes } = readInputFile(name, { expected: 'a board file', limit: boardFileLimit });
  return readBoard(new TextDecoder().decode(bytes), basename(name));
}
