import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { firmwareFacts, readBoard } from '../../boards/load.ts';
import { TinymlError } from '../../common/tinyml-error.ts';
import { renderFirmware } from '../../firmware-templates/render.ts';
import { randomSource } from '../firmware/random.ts';

const folder = join(import.meta.dirname, '../../boards');
const seed = readFileSync(join(folder, 'nucleo-f446re.json'), 'utf8');

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** The board with the value at a pointer replaced. */
function changed(pointer: string, value: Json): string {
  const keys = pointer.split('/').slice(1);
  const place = (node: Json, [key, ...rest]: string[]): Json => {
    if (key === undefined) return value;
    if (Array.isArray(node))
      return node.map((item, index) => (String(index) === key ? place(item, rest) : item));
    const fields = node as { [key: string]: Json };
    return { ...fields, [key]: place(fields[key] ?? null, rest) };
  };
  return JSON.stringify(place(JSON.parse(seed) as Json, keys));
}

function refusal(text: string): TinymlError {
  try {
    readBoard(text, 'b.json');
  } catch (error) {
    if (error instanceof TinymlError) return error;
    throw error;
  }
  throw new Error('the board was accepted');
}

const HOSTILE = [
  '$(touch P)',
  '`touch P`',
  'a;touch P',
  'a\ntouch P',
  '-fplugin=p.so',
  '-B/tmp',
  '-specs=x',
  '@file',
  '../../x',
  '/etc/passwd',
  '"); system("touch P");//',
  '*/ #include "/etc/passwd" /*',
  '\u202eevil',
  '\u0000',
  '\u001b[2J',
];

describe('a hostile board file', () => {
  it.each(HOSTILE)('cannot put %j where a fact belongs', (text) => {
    for (const pointer of [
      '/id',
      '/chip',
      '/serial/tx',
      '/serial/peripheral',
      '/clock/source',
      '/led/pin',
      '/page',
    ]) {
      expect(refusal(changed(pointer, text))).toMatchObject({
        code: 'E_BOARD_FILE',
        exit: 1,
        message: expect.stringContaining(`b.json: ${pointer}: `),
      });
    }
  });

  it.each(HOSTILE)('gets %j into no file and no argument of the build', (text) => {
    for (const pointer of ['/name', '/vendor', '/serial/reach', '/flash/0/how', '/usb/0/what']) {
      const file = changed(pointer, text);
      let board: ReturnType<typeof readBoard>;
      try {
        board = readBoard(file, 'b.json');
      } catch (error) {
        expect(error).toMatchObject({ code: 'E_BOARD_FILE' });
        continue;
      }
      const plan = renderFirmware({
        board: firmwareFacts(board),
        model: { layers: 1, inputKept: false, weightsBytes: 0, arenaBytes: 0 },
        modelFiles: [],
        templates: [],
        optimize: 'speed',
        stackBytes: 4096,
        banner: 'test',
      });
      expect(JSON.stringify(plan)).not.toContain(JSON.stringify(text).slice(1, -1));
    }
  });

  it.each([
    ['/flags', ['-fplugin=x'], '/flags: is not a field of board files'],
    ['/serial/path', '/dev/x', '/serial/path: is not a field'],
    ['/emulator', { program: 'sh', machine: 'netduinoplus2', tickHz: 1e9 }, '/emulator/program: '],
    ['/serial/baud', 1e99, '/serial/baud: '],
    ['/serial/baud', -1, '/serial/baud: '],
    ['/clock/hz', 8_000_001, '/clock/hz: must be a whole number of megahertz'],
    ['/chip', 'stm32f999', '/chip: no chip "stm32f999"'],
    ['/chip', '__proto__', '/chip: '],
    ['/serial/tx', 'PA4', '/serial/tx: PA4 is not a tx pin of usart2'],
    ['/flash/2/rx', 'PB1', "/flash/2: the stm32f446re's boot loader does not listen there"],
    ['/usb', Array.from({ length: 10_000 }, () => ({})), '/usb'],
  ] as [string, Json, string][])('with %s wrong is refused at that place', (pointer, value, message) => {
    expect(refusal(changed(pointer, value)).message).toContain(message);
  });

  it.each([
    ['text that is not JSON', '{', 'is not JSON'],
    ['an empty file', '', 'is not JSON'],
    ['a list', '[]', 'b.json: /: '],
    ['a file of 50 MB', ' '.repeat(50_000_000), 'is not a board file'],
    ['nesting 30,000 deep', `${'['.repeat(30_000)}${']'.repeat(30_000)}`, 'b.json: '],
    ['a key that names the prototype', seed.replace('{', '{"__proto__": {"polluted": 1},'), '/__proto__'],
  ])('is refused as %s', (_, text, message) => {
    const started = Date.now();
    const error = refusal(text);
    expect(error).toMatchObject({ code: 'E_BOARD_FILE', message: expect.stringContaining(message) });
    expect(Date.now() - started).toBeLessThan(2000);
    expect(Object.prototype).not.toHaveProperty('polluted');
  });

  it('mutated at random, is read or refused, 20,000 times', () => {
    const random = randomSource(11);
    let refused = 0;
    for (let count = 0; count < 20_000; count++) {
      const text = mutate(seed, random);
      try {
        firmwareFacts(readBoard(text, 'b.json'));
      } catch (error) {
        if (!(error instanceof TinymlError)) throw new Error(`seed 11, mutation ${count}`, { cause: error });
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(5000);
  });
});

const SPLICES = [
  '"',
  '{',
  '}',
  ',',
  ':',
  '\\',
  '\n',
  '0',
  '-1',
  '1e999',
  'null',
  '[]',
  '"$(touch P)"',
  '"-fplugin=x"',
];

function mutate(text: string, random: (below: number) => number): string {
  let result = text;
  for (let edits = 1 + random(3); edits > 0; edits--) {
    const at = random(result.length);
    const cut = random(2) ? random(8) : 0;
    result =
      result.slice(0, at) + (random(3) ? SPLICES[random(SPLICES.length)] : '') + result.slice(at + cut);
  }
  return result;
}
