import {
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { OptionSpec, PathRole } from '../../cli/command.ts';
import { tinyml } from '../support/cli.ts';
import { withExternalWeights } from '../support/onnx-drafts.ts';
import {
  allCommands,
  type LoadedCommand,
  longFlag,
  neededWords,
  optionsGiven,
  takesValue,
} from '../support/stub-command.ts';

const example = join(import.meta.dirname, '..', '..', 'examples', 'motor-fault');

let folder = '';
const at = (name: string) => join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinyml-test-guard-'));
  writeFileSync(at('input.npz'), 'precious');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const codeOf = async (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: { code?: string }) => error.code,
  );

/** The role of an option where no other option is given. */
const roleOf = ({ path }: OptionSpec): PathRole => (typeof path === 'function' ? path({}) : (path ?? 'none'));
const isOutput = (role: PathRole) => role !== 'input' && role !== 'none';

/** An option or argument that names a file: how to give it, and what is done with the file. */
interface Slot {
  readonly name: string;
  readonly role: PathRole;
  words(path: string): string[];
}

function slotsOf({ spec }: LoadedCommand): Slot[] {
  const options = spec.options.filter(takesValue).map((option) => ({
    name: longFlag(option),
    role: roleOf(option),
    words: (path: string) => [longFlag(option), path],
  }));
  const names = spec.usage.match(/[\w-]+/g) ?? [];
  const positional = names.map((name, i) => ({
    name,
    role: spec.paths[i]!,
    words: (path: string) => [path],
  }));
  return [...positional, ...options].filter(({ role }) => role !== 'none');
}

/** All words that a command needs, with those of some slots in place of what stands there otherwise. */
function wordsWith({ spec }: LoadedCommand, given: readonly (readonly [Slot, string])[]): string[] {
  let other = 0;
  const fileFor = (role: PathRole) => {
    const path = at(`other-${other++}${role === 'grows' ? '.npz' : ''}`);
    if (role === 'input') writeFileSync(path, '');
    return path;
  };
  const positional = given.filter(([slot]) => !slot.name.startsWith('--'));
  const needed = neededWords(spec, fileFor);
  const count = spec.usage.split(' ').filter((name) => name.startsWith('<')).length;
  const args = positional.length > 0 ? positional.map(([, path]) => path) : needed.slice(0, count);
  const named = given.filter(([slot]) => slot.name.startsWith('--'));
  return [...args, ...needed.slice(count), ...named.flatMap(([slot, path]) => slot.words(path))];
}

const pairs = allCommands.flatMap((command) => {
  const slots = slotsOf(command);
  const outputs = slots.filter(({ role }) => isOutput(role));
  return outputs.flatMap((output) =>
    slots.filter(({ role }) => role === 'input').map((input) => ({ command, output, input })),
  );
});

describe('what a command says of its files', () => {
  test.each(allCommands.map((command) => [command.row.name, command] as const))(
    '%s: every argument, and every value that is free text, says whether it names a file and what becomes of it',
    (_, { spec }) => {
      const names = spec.usage.match(/[\w-]+/g) ?? [];
      expect(spec.paths).toHaveLength(names.length);
      const free = spec.options.filter(takesValue).filter(({ choices, parse }) => !choices && !parse);
      expect(free.filter(({ path }) => path === undefined).map(longFlag)).toEqual([]);
      const files = spec.options.filter(({ flags }) => /<(file|dir|data|model)>/.test(flags));
      expect(files.filter((option) => roleOf(option) === 'none').map(longFlag)).toEqual([]);
      if (spec.options.some((option) => roleOf(option) === 'folder'))
        expect(spec.options.map(longFlag)).toContain('--force');
    },
  );
});

describe('an output that is an input', () => {
  test('there are commands to try it with', () => expect(pairs.length).toBeGreaterThan(15));

  /** Names of `input.npz`. An input has to be there, so that it has no way round through what is not. */
  const spellings = ['input.npz', 'not-there/../input.npz', 'soft.npz', 'hard.npz', 'here/input.npz'];
  beforeEach(() => {
    symlinkSync('input.npz', at('soft.npz'));
    linkSync(at('input.npz'), at('hard.npz'));
    symlinkSync('.', at('here'));
  });

  test.each(pairs.map((pair) => [pair.command.row.name, pair.output.name, pair.input.name, pair] as const))(
    '%s: %s is not what %s reads, however it is spelled',
    async (_, __, ___, { command, output, input }) => {
      const written = spellings.map((spelling) => [spelling, 'input.npz'] as const);
      const read = spellings.slice(2).map((spelling) => ['input.npz', spelling] as const);
      for (const [to, from] of [...written, ...read]) {
        const words = wordsWith(command, [
          [output, at(to)],
          [input, at(from)],
        ]);
        expect(await codeOf(optionsGiven(command, words)), `${to} ${from}`).toBe('E_OUTPUT_IS_INPUT');
        expect(readFileSync(at('input.npz'), 'utf8')).toBe('precious');
      }
    },
  );

  const folders = pairs.filter(({ output }) => output.role === 'folder');
  test.each(folders.map((pair) => [pair.command.row.name, pair.input.name, pair] as const))(
    '%s: a file of ours in the folder that it would replace is not what %s reads',
    async (_, __, { command, output, input }) => {
      mkdirSync(at('out'));
      writeFileSync(at('out/report.json'), '{"tool": "tinyml", "files": ["model.tflite"]}');
      writeFileSync(at('out/model.tflite'), 'precious');
      const words = wordsWith(command, [
        [output, at('out')],
        [input, at('out/model.tflite')],
      ]);
      expect(await codeOf(optionsGiven(command, words))).toBe('E_OUTPUT_IS_INPUT');
    },
  );

  test('a configuration file is an input too', async () => {
    const command = allCommands.find(({ row }) => row.name === 'run')!;
    writeFileSync(at('tinyml.config.json'), '{}');
    writeFileSync(at('model'), '');
    const words = [at('model'), '--input', at('input.npz'), '--output', at('tinyml.config.json')];
    expect(await codeOf(optionsGiven(command, words))).toBe('E_OUTPUT_IS_INPUT');
  });
});

describe('two outputs', () => {
  const twins = allCommands.flatMap((command) => {
    const outputs = slotsOf(command).filter(({ role }) => isOutput(role));
    return outputs.flatMap((one, i) => outputs.slice(i + 1).map((other) => ({ command, one, other })));
  });

  test.each(twins.map((twin) => [twin.command.row.name, twin.one.name, twin.other.name, twin] as const))(
    '%s: %s and %s are not one place, whatever the case of its letters',
    async (_, __, ___, { command, one, other }) => {
      for (const [first, second] of [
        ['same.npz', 'same.npz'],
        ['same.npz', 'a/../SAME.npz'],
      ] as const) {
        const words = wordsWith(command, [
          [one, at(first)],
          [other, at(second)],
        ]);
        expect(await codeOf(optionsGiven(command, words))).toBe('E_OUTPUT_TWICE');
      }
    },
  );
});

describe('a folder', () => {
  const writers = allCommands.flatMap((command) =>
    slotsOf(command)
      .filter(({ role }) => role === 'folder')
      .map((slot) => [command.row.name, command, slot] as const),
  );

  test.each(writers)(
    '%s refuses one with files of others, and takes it with --force',
    async (_, command, slot) => {
      mkdirSync(at('out'));
      writeFileSync(at('out/CMakeLists.txt'), 'mine');
      const words = wordsWith(command, [[slot, at('out')]]);
      expect(await codeOf(optionsGiven(command, words))).toBe('E_OUTPUT_FOREIGN');
      expect(await codeOf(optionsGiven(command, [...words, '--force']))).toBeUndefined();
    },
  );

  const readers = allCommands.flatMap((command) =>
    slotsOf(command)
      .filter(({ role }) => role === 'input' || role === 'grows')
      .map((slot) => [command.row.name, slot.name, command, slot] as const),
  );

  test.each(readers)(
    '%s finds what a kill between two renames had put aside (%s)',
    async (_, __, command, slot) => {
      mkdirSync(at('.out.tinyml-4194999-00000000.old'));
      writeFileSync(at('.out.tinyml-4194999-00000000.old/set.npz'), '');
      await codeOf(optionsGiven(command, wordsWith(command, [[slot, at('out/set.npz')]])));
      expect(existsSync(at('out/set.npz'))).toBe(true);
    },
  );
});

describe('an output that cannot be written', () => {
  const writers = allCommands.flatMap((command) =>
    slotsOf(command)
      .filter(({ role }) => isOutput(role))
      .map((slot) => [command.row.name, slot.name, command, slot] as const),
  );

  test.each(writers)('%s %s: is refused before the work begins', async (_, __, command, slot) => {
    writeFileSync(at('file.npz'), '');
    mkdirSync(at('folder.npz'));
    const unfit = slot.role === 'folder' ? 'file.npz' : 'folder.npz';
    for (const path of [unfit, 'file.npz/below.npz']) {
      const words = wordsWith(command, [[slot, at(path)]]);
      expect(await codeOf(optionsGiven(command, words)), path).toBe('E_OUTPUT');
    }
  });
});

describe('through the command line', () => {
  const model = () => at('model.onnx');
  beforeEach(() => {
    cpSync(join(example, 'model.onnx'), model());
    cpSync(join(example, 'data.npz'), at('data.npz'));
  });

  test.each([
    ['convert', ['--calib', 'data.npz', '--to', 'tflite', '-o', './a/../data.npz']],
    ['search', ['--data', 'data.npz', '--budget', 'accuracy>=0.1', '--trials', '1', '--plot', 'data.npz']],
    ['analyze', ['--calib', 'data.npz', '--plot', 'data.npz']],
  ])('%s leaves its data alone', async (name, words) => {
    const { code, stderr } = await tinyml([name, model(), ...words], { cwd: folder });
    expect([code, stderr]).toEqual([1, expect.stringContaining('E_OUTPUT_IS_INPUT')]);
    expect(readFileSync(at('data.npz'))).toEqual(readFileSync(join(example, 'data.npz')));
    expect(stderr).not.toMatch(/: \d+\.\d s$/m);
  });

  test.each(['.', ''])('convert -o %j in a project leaves it alone', async (output) => {
    mkdirSync(at('mine'));
    writeFileSync(at('mine/CMakeLists.txt'), 'mine');
    const words = ['convert', model(), '--calib', at('data.npz'), '-o', output];
    const { code } = await tinyml(words, { cwd: at('mine') });
    expect([code, readFileSync(at('mine/CMakeLists.txt'), 'utf8')]).toEqual([1, 'mine']);
    const forced = await tinyml([...words.slice(0, -1), '.', '--force'], { cwd: at('mine') });
    expect([forced.code, forced.stderr]).toEqual([
      0,
      expect.stringContaining('--force replaces CMakeLists.txt'),
    ]);
  });

  test('a model folder is replaced, what others put into it and its firmware is not', async () => {
    const convert = (...more: string[]) =>
      tinyml(['convert', model(), '--calib', 'data.npz', '-o', 'out', ...more], { cwd: folder });
    await convert();
    const board = 'firmware/esp32-c3-devkitm-1-esp-idf';
    const project = ['build', 'out', '--board', 'esp32-c3-devkitm-1', '--project', 'esp-idf'];
    expect((await tinyml(project, { cwd: folder })).code).toBe(0);
    for (const name of ['notes.txt', `${board}/sdkconfig`, `${board}/main/mine.c`])
      writeFileSync(at(`out/${name}`), 'mine');
    expect((await convert('--engine', 'tflm')).code).toBe(0);
    const there = ['model.c', 'model_data.cc', `${board}/CMakeLists.txt`].map((name) =>
      existsSync(at(`out/${name}`)),
    );
    expect(there).toEqual([false, true, false]);
    expect(readFileSync(at(`out/${board}/main/mine.c`), 'utf8')).toBe('mine');
    expect(readFileSync(at('out/notes.txt'), 'utf8')).toBe('mine');
    const again = await tinyml(project, { cwd: folder });
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('E_OUTPUT_FOREIGN')]);
    expect((await tinyml([...project, '--force'], { cwd: folder })).code).toBe(0);
    expect(readFileSync(at(`out/${board}/sdkconfig`), 'utf8')).toBe('mine');
  });

  test('weights beside a model are inputs from the moment they are read', async () => {
    const { model, weights } = withExternalWeights(readFileSync(join(example, 'model.onnx')), 'weights.bin');
    writeFileSync(at('m.onnx'), model);
    writeFileSync(at('weights.bin'), weights);
    const words = ['convert', 'm.onnx', '--calib', 'data.npz', '--to', 'tflite', '-o'];
    expect((await tinyml([...words, 'm.tflite'], { cwd: folder })).code).toBe(0);
    const { code, stderr } = await tinyml([...words, './weights.bin'], { cwd: folder });
    expect([code, stderr]).toEqual([1, expect.stringContaining('E_OUTPUT_IS_INPUT')]);
    expect(stderr).not.toMatch(/: \d+\.\d s$/m);
    expect(readFileSync(at('weights.bin'))).toEqual(Buffer.from(weights));
  });

  test('a checkpoint is written over no file of another kind, and removes none', async () => {
    writeFileSync(at('out.checkpoint'), 'mine');
    const words = ['convert', model(), '--calib', 'data.npz', '-o', 'out'];
    expect((await tinyml(words, { cwd: folder })).code).toBe(0);
    expect(readFileSync(at('out.checkpoint'), 'utf8')).toBe('mine');
    const prune = [...words, '--prune', 'macs=0.5', '--train', 'data.npz'];
    const { code, stderr } = await tinyml(prune, { cwd: folder });
    expect([code, stderr]).toEqual([1, expect.stringContaining('E_OUTPUT_FOREIGN')]);
    expect(readFileSync(at('out.checkpoint'), 'utf8')).toBe('mine');
  });

  test('a study is begun over no file of another kind', async () => {
    writeFileSync(at('study.json'), '{"mine": 1}');
    const words = ['search', model(), '--data', 'data.npz', '--study', 'study.json'];
    const { code, stderr } = await tinyml(words, { cwd: folder });
    expect([code, stderr]).toEqual([1, expect.stringContaining('E_STUDY_DAMAGED')]);
    expect(readFileSync(at('study.json'), 'utf8')).toBe('{"mine": 1}');
  });
});

test('a folder that stepped aside is found by who builds it', async () => {
  cpSync(join(example, 'model.onnx'), at('model.onnx'));
  await tinyml(['convert', 'model.onnx', '--calib', join(example, 'data.npz'), '-o', 'out'], { cwd: folder });
  renameSync(at('out'), at('.out.tinyml-4194999-00000000.old'));
  expect((await tinyml(['inspect', 'out/model.tflite'], { cwd: folder })).code).toBe(0);
  expect(existsSync(at('out/report.json'))).toBe(true);
});
