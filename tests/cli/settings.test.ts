import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { settingTable } from '../../cli/setting-table.ts';
import { tinyml } from '../support/cli.ts';
import { allCommands, longFlag, neededWords, optionsGiven } from '../support/stub-command.ts';

/** A text for each setting that is none of its defaults, and what becomes of it. */
const samples: Readonly<Record<string, readonly [text: string | number, value: unknown]>> = {
  board: ['virtual-rv32imc', 'virtual-rv32imc'],
  port: ['tcp://127.0.0.1:1', 'tcp://127.0.0.1:1'],
  baud: [9600, 9600],
  engine: ['c', 'c'],
  queue: ['redis://127.0.0.1:1', 'redis://127.0.0.1:1'],
  calib: ['/c.npz', '/c.npz'],
  train: ['/t.npz', '/t.npz'],
  runs: [3, 3],
  trials: [7, 7],
  jobs: [2, 2],
  trialTimeout: [30, 30],
  inputShape: ['x=1,2', [['x', [1, 2]]]],
  convertEngine: ['tflm', 'tflm'],
  quantize: ['float', 'float'],
  optimize: ['size', 'size'],
  weights: ['coded', 'coded'],
  budget: ['ram<20k', [{ measure: 'ram', value: 20_480 }]],
  sampler: ['random', 'random'],
  seed: [5, 5],
};

const uses = allCommands.flatMap((command) =>
  command.spec.options.flatMap((option) =>
    option.setting === undefined ? [] : [[command.row.name, option.setting, { command, option }] as const],
  ),
);
const nearModel = uses.filter(([, , { command }]) => command.spec.paths[0] === 'input');

const start = process.cwd();
const environment = { ...process.env };
let folder = '';
const at = (name: string) => join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinyml-test-settings-'));
  for (const name of ['theirs', 'here', 'home']) mkdirSync(at(name));
  writeFileSync(at('theirs/model.onnx'), '');
  process.chdir(at('here'));
  process.env['XDG_CONFIG_HOME'] = at('home');
});
afterEach(() => {
  process.chdir(start);
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
  Object.assign(process.env, environment);
  rmSync(folder, { recursive: true, force: true });
});

function config(path: string, content: object): void {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), JSON.stringify(content));
}

async function given({ command, option }: (typeof uses)[number][2]) {
  const words = neededWords(command.spec, (role) =>
    role === 'input' ? at('theirs/model.onnx') : at(role === 'grows' ? 'set.npz' : 'out'),
  );
  // What a command needs may come from a setting as well.
  const flag = words.indexOf(longFlag(option));
  if (flag >= 0) words.splice(flag, 2);
  const { options, said } = await optionsGiven(command, words);
  const attribute = /--([\w-]+)/.exec(option.flags)![1]!;
  const camel = attribute.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
  const value = options[camel];
  return {
    value: option.repeat && Array.isArray(value) && option.setting === 'port' ? value[0] : value,
    said,
  };
}

describe('where settings come from', () => {
  test('every setting says whom it is believed, and why; there is a sample of each here', () => {
    for (const { trust, why } of Object.values(settingTable)) {
      expect(['own', 'anywhere']).toContain(trust);
      expect(why).not.toBe('');
    }
    expect(Object.keys(samples).sort()).toEqual(Object.keys(settingTable).sort());
    expect([...new Set(uses.map(([, name]) => name))].sort()).toEqual(Object.keys(settingTable).sort());
  });

  test.each(uses)(
    '%s takes %s from environment, working folder and home, in this order',
    async (_, name, use) => {
      const [text, value] = samples[name]!;
      const variable = `TINYML_${name.replace(/([A-Z])/g, '_$1').toUpperCase()}`;
      config('home/tinyml/config.json', { [name]: text });
      expect((await given(use)).value).toEqual(value);
      config('home/tinyml/config.json', { [name]: 'not one' });
      config('here/tinyml.config.json', { [name]: text });
      expect((await given(use)).value).toEqual(value);
      config('here/tinyml.config.json', { [name]: 'not one' });
      process.env[variable] = String(text);
      expect((await given(use)).value).toEqual(value);
    },
  );

  test.each(nearModel.filter(([, , { option }]) => !option.required))(
    '%s takes %s from beside a model only if it describes the model',
    async (_, name, use) => {
      const [text, value] = samples[name]!;
      const before = (await given(use)).value;
      config('theirs/tinyml.config.json', { [name]: text });
      const { value: after, said } = await given(use);
      if (settingTable[name]!.trust === 'anywhere') expect([after, said]).toEqual([value, []]);
      else {
        expect(after).toEqual(before);
        expect(said).toHaveLength(1);
        expect(said[0]).toContain(at('theirs/tinyml.config.json'));
        expect(said[0]).toContain(name);
      }
    },
  );

  test.each(nearModel.filter(([, name]) => settingTable[name]!.trust === 'own'))(
    '%s believes %s from the working folder, also when the model lies there',
    async (_, name, use) => {
      const [text, value] = samples[name]!;
      config('theirs/tinyml.config.json', { [name]: text });
      process.chdir(at('theirs'));
      expect(await given(use)).toEqual({ value, said: [] });
      symlinkSync('theirs', at('alias'));
      process.chdir(at('alias'));
      expect(await given(use)).toEqual({ value, said: [] });
    },
  );

  test('what is beside the model comes before the working folder, and each setting is looked for by itself', async () => {
    const use = uses.find(([command, name]) => command === 'convert' && name === 'optimize')![2];
    config('here/tinyml.config.json', { optimize: 'speed', quantize: 'float' });
    config('theirs/tinyml.config.json', { optimize: 'size' });
    expect((await given(use)).value).toBe('size');
    const other = uses.find(([command, name]) => command === 'convert' && name === 'quantize')![2];
    expect((await given(other)).value).toBe('float');
  });

  test('paths in a configuration file start at its folder', async () => {
    const use = uses.find(([command, name]) => command === 'convert' && name === 'calib')![2];
    config('here/tinyml.config.json', { calib: 'data/c.npz' });
    expect((await given(use)).value).toBe(join(process.cwd(), 'data/c.npz'));
  });

  test('the page on settings lists them by whom they are believed', () => {
    const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'files.md'), 'utf8');
    const named = (text: string) => [...text.matchAll(/`(\w+)`/g)].map((match) => match[1]!).sort();
    const trusted = (trust: string) =>
      Object.keys(settingTable)
        .filter((name) => settingTable[name]!.trust === trust)
        .sort();
    expect(named(/reaches nothing\nelse: ([^.]*)\./.exec(page)![1]!)).toEqual(trusted('anywhere'));
    expect(named(/this machine works \(([^)]*)\)/.exec(page)![1]!)).toEqual(trusted('own'));
  });

  test('a hostile file beside a model is told in one line of stderr, and does nothing', async () => {
    config('theirs/tinyml.config.json', {
      queue: 'redis://127.0.0.1:1',
      port: '/dev/null',
      board: './x.json',
    });
    const { code, stderr } = await tinyml(['bench', at('theirs/model.onnx')], { cwd: at('here') });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^warning: .*tinyml\.config\.json .*queue, port, board; .*\nerror E_(?!PORT|BOARD)/,
    );
  });
});
