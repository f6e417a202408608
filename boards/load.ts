import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Board, Chip } from './board.ts';
import { unknownBoard } from './errors.ts';
import { parseBoard, parseChip } from './parse.ts';

export {
  arenaRam,
  type Board,
  type Chip,
  coreHz,
  dataRam,
  firmwareFacts,
  type Rv32VirtBoard,
} from './board.ts';
export { type EspBoard, type EspFamily, isEsp } from './families/esp.ts';
export type { Stm32Board } from './families/stm32.ts';

/** The JSON files stay in the package's `boards/`, whether this runs from there or from `dist/boards/`. */
function boardsFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder)
      throw new Error('tinyml is not installed as a package: no package.json above its code');
    folder = parent;
  }
  return join(folder, 'boards');
}

function jsonIds(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length))
    .sort();
}

let chips: ReadonlyMap<string, Chip> | undefined;

function knownChips(): ReadonlyMap<string, Chip> {
  if (chips) return chips;
  const folder = join(boardsFolder(), 'chips');
  chips = new Map(
    jsonIds(folder).map((id) => [
      id,
      parseChip(readFileSync(join(folder, `${id}.json`), 'utf8'), `boards/chips/${id}.json`),
    ]),
  );
  return chips;
}

/** Ids of the boards that come with tinyml, sorted. */
export function boardIds(): readonly string[] {
  return jsonIds(boardsFolder());
}

/** A board that comes with tinyml. Throws E_UNKNOWN_BOARD with the list and the nearest match. */
export function loadBoard(id: string): Board {
  const ids = boardIds();
  if (!ids.includes(id)) throw unknownBoard(id, ids);
  return parseBoard(
    readFileSync(join(boardsFolder(), `${id}.json`), 'utf8'),
    `boards/${id}.json`,
    knownChips(),
  );
}

/** A board from the text of a user's own file; `source` is the file's name for messages. Throws E_BOARD_FILE. */
export function readBoard(text: string, source: string): Board {
  return parseBoard(text, source, knownChips());
}

/** All boards that come with tinyml, sorted by id. */
export function listBoards(): readonly Board[] {
  return boardIds().map(loadBoard);
}
