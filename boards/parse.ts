import type { z } from 'zod';
import { type Board, type Chip, chipOf } from './board.ts';
import { type BoardProblem, badBoard, boardFileTooBig, boardNotJson } from './errors.ts';
import { type BoardFile, boardSchema, chipSchema } from './schema.ts';

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

function check<T extends z.ZodType>(schema: T, text: string, source: string): z.output<T> {
  const result = schema.safeParse(parseJson(text, source));
  if (!result.success) throw badBoard(source, problemsOf(result.error));
  return result.data;
}

export function parseChip(text: string, source: string): Chip {
  return chipOf(check(chipSchema, text, source));
}

/**
 * A board from the text of its file. `chips` are those a board may name.
 * Throws E_BOARD_FILE with the JSON pointer of each thing that is wrong.
 */
export function parseBoard(text: string, source: string, chips: ReadonlyMap<string, Chip>): Board {
  const file = check(boardSchema, text, source);
  const chip = chips.get(file.chip);
  if (!chip) {
    const choices = [...chips.keys()].join(', ');
    throw badBoard(source, [
      { pointer: '/chip', message: `no chip ${JSON.stringify(file.chip)}; chips: ${choices}` },
    ]);
  }
  const problems = [...serialProblems(file, chip), ...flashProblems(file, chip)];
  if (problems.length > 0) throw badBoard(source, problems);
  return { ...file, chip };
}

function serialProblems({ serial }: BoardFile, chip: Chip): BoardProblem[] {
  const uart = chip.uarts[serial.peripheral];
  if (!uart)
    return [{ pointer: '/serial/peripheral', message: `the ${chip.id} has no ${serial.peripheral}` }];
  return (['tx', 'rx'] as const)
    .filter((line) => !uart[line].includes(serial[line]))
    .map((line) => ({
      pointer: `/serial/${line}`,
      message: `${serial[line]} is not a ${line} pin of ${serial.peripheral}; pins: ${uart[line].join(', ')}`,
    }));
}

/** The boot loader listens on few of the chip's serial ports; a board that names another would wait in vain. */
function flashProblems({ flash }: BoardFile, chip: Chip): BoardProblem[] {
  const choices = chip.bootloader.uarts;
  return flash.flatMap((way, index) => {
    if (way.method !== 'stm32-uart') return [];
    const known = choices.some(
      ({ peripheral, tx, rx }) => peripheral === way.peripheral && tx === way.tx && rx === way.rx,
    );
    if (known) return [];
    const list = choices.map(({ peripheral, tx, rx }) => `${peripheral} on ${tx} and ${rx}`).join(', ');
    return [
      {
        pointer: `/flash/${index}`,
        message: `the ${chip.id}'s boot loader does not listen there; it does on ${list}`,
      },
    ];
  });
}
