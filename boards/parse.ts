import type { z } from 'zod';
import type { Board, Chip } from './board.ts';
import { type BoardProblem, badBoard, boardFileTooBig, boardNotJson } from './errors.ts';
import { type EspChip, espBoardOf, espChipOf, isEsp } from './families/esp.ts';
import { stm32BoardProblems, stm32ChipProblems } from './families/stm32-pins.ts';
import { memoriesOf } from './memories.ts';
import { boardSchemas, chipSchema } from './schema.ts';

const MAX_FILE_CHARACTERS = 65_536;

function parseJson(text: string, source: string): unknown {
  if (text.length > MAX_FILE_CHARACTERS) throw boardFileTooBig(source, text.length, MAX_FILE_CHARACTERS);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw boardNotJson(source, cause);
  }
}

/** RFC 6901. */
function pointer(path: readonly PropertyKey[]): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

function problemsOf(error: z.ZodError): BoardProblem[] {
  return error.issues.flatMap((issue) => {
    if (issue.code !== 'unrecognized_keys')
      return [{ pointer: pointer(issue.path), message: lowerFirst(issue.message) }];
    return issue.keys.map((key) => ({
      pointer: pointer([...issue.path, key]),
      message: 'is not a field of board files',
    }));
  });
}

const lowerFirst = (text: string) => text.charAt(0).toLowerCase() + text.slice(1);

function check<T extends z.ZodType>(schema: T, json: unknown, source: string): z.output<T> {
  const result = schema.safeParse(json);
  if (!result.success) throw badBoard(source, problemsOf(result.error));
  return result.data;
}

export function parseChip(text: string, source: string): Chip {
  const file = check(chipSchema, parseJson(text, source), source);
  if (isEsp(file)) return espChipOf(file);
  if (file.family === 'stm32') refuse(source, stm32ChipProblems(file));
  return { ...file, ...memoriesOf(file) };
}

function refuse(source: string, problems: readonly BoardProblem[]): void {
  if (problems.length > 0) throw badBoard(source, problems);
}

/** The chip that a board file names; undefined when it names none that there is. */
function chipOf(json: unknown, chips: ReadonlyMap<string, Chip>): Chip | undefined {
  const named = typeof json === 'object' && json !== null && 'chip' in json ? json.chip : undefined;
  return typeof named === 'string' ? chips.get(named) : undefined;
}

function unknownChip(name: string, source: string, chips: ReadonlyMap<string, Chip>) {
  const message = `no chip ${JSON.stringify(name)}; chips: ${[...chips.keys()].join(', ')}`;
  return badBoard(source, [{ pointer: '/chip', message }]);
}

/**
 * A board from the text of its file. `chips` are those a board may name; the chip's family says which fields the file
 * has. Throws E_BOARD_FILE with the JSON pointer of each thing that is wrong.
 */
export function parseBoard(text: string, source: string, chips: ReadonlyMap<string, Chip>): Board {
  const json = parseJson(text, source);
  const chip = chipOf(json, chips);
  if (chip?.family === 'rv32-virt')
    return { ...check(boardSchemas['rv32-virt'], json, source), family: chip.family, chip };
  if (chip && isEsp(chip)) return parseEsp(json, source, chip);
  const file = check(boardSchemas.stm32, json, source);
  if (!chip) throw unknownChip(file.chip, source, chips);
  refuse(source, stm32BoardProblems(file, chip));
  return { ...file, family: chip.family, chip };
}

function parseEsp(json: unknown, source: string, chip: EspChip): Board {
  const made = espBoardOf(check(boardSchemas.esp, json, source), chip);
  if ('family' in made) return made;
  throw badBoard(source, [...made]);
}
