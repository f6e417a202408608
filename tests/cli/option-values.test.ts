import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { OptionSpec, PathRole } from '../../cli/command.ts';
import { runCommand } from '../../cli/run-command.ts';
import { TinymlError } from '../../common/tinyml-error.ts';
import { stackTrace, tinyml } from '../support/cli.ts';
import { quietContext } from '../support/quiet-context.ts';
import {
  allCommands,
  type LoadedCommand,
  longFlag,
  neededWords,
  optionsGiven,
  takesValue,
} from '../support/stub-command.ts';

const example = join(import.meta.dirname, '..', '..', 'examples', 'motor-fault');
const environment = { ...process.env };
const start = process.cwd();
let folder = '';
const at = (name: string) => join(folder, name);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinyml-test-values-'));
  copyFileSync(join(example, 'model.onnx'), at('model.onnx'));
  const row = Array.from({ length: 384 }, (_, i) => Math.sin(i)).join(',');
  writeFileSync(at('x.csv'), `${row}\n${row}\n`);
  mkdirSync(at('home/tinyml'), { recursive: true });
  process.env['XDG_CONFIG_HOME'] = at('home');
  process.chdir(folder);
});
afterAll(() => {
  process.chdir(start);
  if (environment['XDG_CONFIG_HOME'] === undefined) delete process.env['XDG_CONFIG_HOME'];
  else process.env['XDG_CONFIG_HOME'] = environment['XDG_CONFIG_HOME'];
  rmSync(folder, { recursive: true, force: true });
});

const fileFor = (role: PathRole) => (role === 'input' ? 'model.onnx' : role === 'grows' ? 'set.npz' : 'out');

/** All options with values, of all commands. */
const valued = allCommands.flatMap((command) =>
  command.spec.options
    .filter(takesValue)
    .map((option) => [command.row.name, longFlag(option), command, option] as const),
);

/** The code of what goes wrong, undefined for nothing; what is not an error of the user's comes through. */
async function failure(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (error instanceof TinymlError && error.exit < 70) return error.code;
    throw error;
  }
}

function given(command: LoadedCommand, option: OptionSpec, ...values: readonly string[]): string[] {
  const words = neededWords(command.spec, fileFor);
  return [...words, ...values.flatMap((value) => [longFlag(option), value])];
}

describe('values that no option takes', () => {
  test.each(valued)('%s %s', async (_, __, command, option) => {
    for (const value of ['', 'a\0b', 'a\nb', 'a\u001b[31mb', 'a\u009bb', '\ud800', 'x'.repeat(1 << 20)]) {
      const code = await failure(optionsGiven(command, given(command, option, value)));
      expect(code, JSON.stringify(value.slice(0, 9))).toBe('E_BAD_VALUE');
    }
  });

  const settable = valued.filter(([, , , { setting }]) => setting !== undefined);
  test.each(settable)('%s %s, from a configuration file', async (_, __, command, option) => {
    for (const value of ['', 'a\0b', 'a\u001bb', '\udc00', 'x'.repeat(1_000_000)]) {
      const words = neededWords(command.spec, fileFor);
      const flag = words.indexOf(longFlag(option));
      if (flag >= 0) words.splice(flag, 2);
      writeFileSync(at('home/tinyml/config.json'), JSON.stringify({ [option.setting!]: value }));
      expect(await failure(optionsGiven(command, words))).toBe('E_BAD_VALUE');
    }
    rmSync(at('home/tinyml/config.json'));
  });

  test.each(allCommands.map((command) => [command.row.name, command] as const))(
    '%s: an argument without text',
    async (_, command) => {
      if (command.spec.usage === '') return;
      const words = neededWords(command.spec, fileFor);
      expect(await failure(optionsGiven(command, ['', ...words.slice(1)]))).toBe('E_USAGE');
    },
  );
});

describe('values that mean something elsewhere', () => {
  const odd = ['--', '__proto__', 'constructor', '-1', '.', '..', '~', '$(x)', '%s', '*', 'y'.repeat(5000)];

  test.each(valued)('%s %s: taken or refused, and given twice', async (_, __, command, option) => {
    for (const value of odd) await failure(optionsGiven(command, given(command, option, value)));
    for (const value of odd) await failure(optionsGiven(command, given(command, option, value, value)));
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  /** Free text of commands that take a model; without compilers and emulators they do not go far with it. */
  const free = valued.filter(([, , { spec }, option]) => {
    const { choices, parse, path } = option;
    return !choices && !parse && path !== 'output' && spec.paths[0] === 'input';
  });

  test.each(free)('%s %s: the command itself takes or refuses it', { timeout: 600_000 }, async (...row) => {
    const [, , command, option] = row;
    process.env['PATH'] = at('nothing');
    for (const value of ['__proto__', 'constructor', 'y'.repeat(5000)]) {
      const words = given(command, option, value);
      if (!words.includes('--calib') && command.spec.options.some((one) => longFlag(one) === '--calib'))
        words.push('--calib', 'x.csv');
      const calib = words.indexOf('--calib');
      if (words[calib + 1] === 'model.onnx') words[calib + 1] = 'x.csv';
      await failure(runCommand(command.row, words, quietContext()));
    }
    process.env['PATH'] = environment['PATH'];
  });
});

describe('through the command line', () => {
  test.each([
    ['convert', ['-o', '']],
    ['convert', ['--calib', 'x'.repeat(100_000)]],
    ['eval', ['--data', '--']],
    ['bench', ['--board', '__proto__']],
    ['inspect', ['--input-shape', '__proto__=1']],
    ['deploy', ['--method', 'constructor']],
  ])('%s %j ends with a message', async (name, words) => {
    const { code, stderr } = await tinyml([name, 'model.onnx', ...words], { cwd: folder });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^error E_/)]);
    expect(stderr).not.toMatch(stackTrace);
    expect(stderr.length).toBeLessThan(5000);
  });

  test.each(['[]', '{}', 'null', 'true', '[[]]'])('%s in a configuration file', async (value) => {
    writeFileSync(at('tinyml.config.json'), `{"board": ${value}}`);
    const { code, stderr } = await tinyml(['bench', 'model.onnx'], { cwd: folder });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^error E_CONFIG: .*board/)]);
    rmSync(at('tinyml.config.json'));
  });

  test('a NUL in a configuration file', async () => {
    writeFileSync(at('tinyml.config.json'), '{"calib": "a\\u0000b"}');
    const { code, stderr } = await tinyml(['convert', 'model.onnx'], { cwd: folder });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^error E_BAD_VALUE: calib in .*a\\u0000b"/)]);
    rmSync(at('tinyml.config.json'));
  });
});
