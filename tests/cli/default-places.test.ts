import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { nameAfter, placeBeside } from '../../cli/files/default-places.ts';
import { findTool } from '../../cli/tools/find-tool.ts';
import { tinyml } from '../support/cli.ts';
import { allCommands, longFlag, neededWords, optionsGiven } from '../support/stub-command.ts';

// Some of these compile and emulate, and a busy machine takes its time.
vi.setConfig({ testTimeout: 600_000 });

const example = join(import.meta.dirname, '..', '..', 'examples', 'motor-fault');
const start = process.cwd();
let folder = '';
const at = (name: string) => join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinyml-test-places-'));
  for (const name of ['theirs', 'here']) mkdirSync(at(name));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('places that nobody named', () => {
  beforeEach(() => process.chdir(at('here')));
  afterEach(() => process.chdir(start));

  test.each([
    ['best', 'best.x'],
    ['a/best/', 'a/best.x'],
    ['./a/../best', 'best.x'],
    ['../best', '../best.x'],
    ['/best', '/best.x'],
    ['/a/best', '/a/best.x'],
    ['.', 'here.x'],
    ['..', 'here.x'],
    ['/', 'here.x'],
  ])('what belongs to %j goes to %j', (output, place) => {
    expect(placeBeside(output, '.x')).toBe(place);
  });

  test('what is made of a file is named after it', () => {
    expect(['a/model.onnx', '/b/model.qdq.onnx', 'model', 'c/.onnx'].map(nameAfter)).toEqual([
      'model',
      'model.qdq',
      'model',
      '.onnx',
    ]);
  });

  const defaults = allCommands.flatMap((command) =>
    command.spec.options
      .filter(({ fallbackFrom, path }) => fallbackFrom && path)
      .map((option) => [command.row.name, longFlag(option), command] as const),
  );

  test('there are commands with such places', () => expect(defaults.length).toBeGreaterThan(2));

  test.each(defaults)('%s %s lies in the working folder or beside the output', async (_, flag, command) => {
    writeFileSync(at('theirs/model.onnx'), '');
    const words = neededWords(command.spec, (role) => at(role === 'input' ? 'theirs/model.onnx' : 'made'));
    const attribute = flag.slice(2);
    const { options } = await optionsGiven(command, words);
    expect(dirname(resolve(String(options[attribute])))).toBe(process.cwd());
    if (attribute === 'output') return;
    const beside = await optionsGiven(command, [...words, '--output', at('there/best')]);
    expect(dirname(String(beside.options[attribute]))).toBe(at('there'));
    expect(basename(String(beside.options[attribute]))).toMatch(/^best\./);
  });
});

const canBuild = findTool('arm-none-eabi-gcc') !== undefined && findTool('qemu-system-arm') !== undefined;

describe.skipIf(!canBuild)('what is written (needs arm-none-eabi-gcc and qemu-system-arm)', () => {
  const model = '../theirs/model.onnx';
  const data = '../theirs/data.npz';
  const search = ['search', model, '--data', data, '--trials', '1', '--jobs', '1'];

  test.each([
    [['convert', model, '--calib', data], ['model']],
    [['convert', model, '--calib', data, '--to', 'onnx-qdq'], ['model.qdq.onnx']],
    [['prune', model, '--data', data, '--target', 'macs=0.8', '--no-fine-tune', '-o', 'p.onnx'], ['p.onnx']],
    [['analyze', model, '--calib', data], []],
    [['inspect', model], []],
    [['run', model, '--input', data, '--calib', data, '--engine', 'c'], []],
    [['eval', model, '--data', data], []],
    [['bench', model, '--calib', data, '--runs', '1'], []],
    [['deploy', model, '--calib', data, '-o', 'out'], ['out']],
    [search, ['model.search.jsonl', 'model.search.svg']],
    [
      [...search, '-o', 'best'],
      ['best', 'best.search.jsonl', 'best.search.svg'],
    ],
  ])('%j leaves nothing where the model lies, and here %j', async (words, made) => {
    for (const name of ['model.onnx', 'data.npz']) copyFileSync(join(example, name), at(`theirs/${name}`));
    const { code, stderr } = await tinyml(words, { cwd: at('here') });
    expect(code, stderr).toBe(0);
    expect(readdirSync(at('theirs')).sort()).toEqual(['data.npz', 'model.onnx']);
    expect(readdirSync(at('here')).sort()).toEqual([...made].sort());
  });

  test('a search into the folder that it stands in goes on there', async () => {
    for (const name of ['model.onnx', 'data.npz']) copyFileSync(join(example, name), at(`theirs/${name}`));
    for (const trials of ['1', '2']) {
      const words = ['search', model, '--data', data, '--trials', trials, '--jobs', '1', '-o', '.'];
      const { code, stderr } = await tinyml(words, { cwd: at('here') });
      expect(code, stderr).toBe(0);
      expect(existsSync(at('here/here.search.jsonl'))).toBe(true);
      expect(existsSync(at('here/model.tflite'))).toBe(true);
    }
    expect(readdirSync(folder).sort()).toEqual(['here', 'theirs']);
  });
});
