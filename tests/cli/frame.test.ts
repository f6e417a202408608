import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commandTable } from '../../cli/command-table.ts';
import { settingNames } from '../../cli/options.ts';
import { stackTrace, tinyml } from '../support/cli.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinyml-test-frame-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('help', () => {
  test('lists every command, on stdout, with exit code 0', async () => {
    for (const args of [[], ['--help'], ['help']]) {
      const { code, stdout, stderr } = await tinyml(args);
      expect(code).toBe(0);
      expect(stderr).toBe('');
      for (const { name } of commandTable) expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
    }
  });

  // Node itself starts in some 40 ms on the machine this was written on, so the limit stands for 150 ms there; a
  // ratio holds on a slow or busy machine as well.
  test('is instant: in the best of five less than 3.75 times what Node takes to do nothing', async () => {
    const best = async (run: () => Promise<unknown>) => {
      const times: number[] = [];
      for (let i = 0; i < 5; i++) {
        const start = performance.now();
        await run();
        times.push(performance.now() - start);
      }
      return Math.min(...times);
    };
    const nothing = await best(() => promisify(execFile)(process.execPath, ['-e', '0']));
    expect(await best(() => tinyml(['--help']))).toBeLessThan(3.75 * nothing);
  });

  test.each(commandTable.map(({ name }) => name))(
    '%s --help has an example and the flags of all',
    async (name) => {
      const { code, stdout } = await tinyml([name, '--help']);
      expect(code).toBe(0);
      expect(stdout).toMatch(new RegExp(`examples:\\n +.*tinyml ${name}`));
      for (const flag of ['--json', '--quiet', '--verbose', '--no-color']) expect(stdout).toContain(flag);
    },
  );

  test('help of one command by the word help, and the version', async () => {
    expect((await tinyml(['help', 'ops'])).stdout).toContain('tinyml ops');
    expect((await tinyml(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('wrong words', () => {
  test('an unknown command names the nearest one and all', async () => {
    const { code, stdout, stderr } = await tinyml(['konvert', 'x']);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^error E_UNKNOWN_COMMAND: .*"konvert"/);
    expect(stderr).toContain('did you mean convert?');
  });

  test('an unknown option names the nearest one', async () => {
    const { code, stderr } = await tinyml(['ops', '--jsn']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/E_UNKNOWN_OPTION: ops: there is no option --jsn/);
    expect(stderr).toContain('did you mean --json?');
  });

  test.each([
    ['a missing argument', ['convert'], /E_USAGE: convert: missing required argument 'model'/],
    ['a missing value', ['convert', 'm.onnx', '-o'], /E_USAGE: convert: .*argument missing/],
    ['a missing option', ['run', 'm.onnx'], /E_USAGE: run: .*--input.* is missing/],
    ['too many arguments', ['ops', 'x'], /E_USAGE: ops: too many arguments/],
    ['a wrong choice', ['convert', 'm.onnx', '--engine', 'aott'], /E_WRONG_CHOICE: --engine is "aott"/],
    [
      'a wrong shape',
      ['convert', 'm.onnx', '--input-shape', 'x=1,a'],
      /E_BAD_VALUE: --input-shape is "x=1,a"/,
    ],
    ['a wrong shell', ['completion', 'bsh'], /E_WRONG_CHOICE: shell is "bsh"/],
  ])('%s', async (_, args, message) => {
    const { code, stderr } = await tinyml(args);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(stackTrace);
  });

  test('with --json the error is a document on stdout', async () => {
    const { code, json, stderr } = await tinyml(['--json', 'konvert']);
    expect(code).toBe(1);
    const { error } = json<{ error: Record<string, unknown> }>();
    expect(error).toMatchObject({ code: 'E_UNKNOWN_COMMAND', hint: 'did you mean convert?' });
    expect(Object.keys(error)).toEqual(['code', 'message', 'measure', 'hint']);
    expect(stderr).toContain('E_UNKNOWN_COMMAND');
  });

  test('control characters of a user never reach the terminal', async () => {
    const { stderr } = await tinyml(['\u001b[31mred\u202e']);
    expect(stderr).not.toContain('\u001b');
    expect(stderr).not.toContain('\u202e');
  });
});

describe('settings', () => {
  const model = () => join(folder, 'm.onnx');
  const config = (text: string) => writeFileSync(join(folder, 'tinyml.config.json'), text);

  test('flag before environment before configuration before default', async () => {
    writeFileSync(model(), 'not a model');
    config('{ "convertEngine": "wrong-in-file" }');
    const args = ['convert', model()];
    expect((await tinyml(args)).stderr).toContain('"wrong-in-file"');
    const env = { TINYML_CONVERT_ENGINE: 'wrong-in-environment' };
    expect((await tinyml(args, { env })).stderr).toContain('TINYML_CONVERT_ENGINE is "wrong-in-environment"');
    expect((await tinyml([...args, '--engine', 'wrong-flag'], { env })).stderr).toContain('"wrong-flag"');
    expect((await tinyml([...args, '--engine', 'aot'], { env })).stderr).not.toContain('E_WRONG_CHOICE');
  });

  test.each([
    ['an unknown key', '{ "bord": "x" }', /E_CONFIG.*no setting "bord"[\s\S]*did you mean board\?/],
    ['no JSON', '{', /E_CONFIG.*not valid JSON/],
    ['no object', '[]', /E_CONFIG.*one JSON object/],
    ['a wrong type', '{ "board": {} }', /E_CONFIG.*board must be a text or a number/],
    ['a prototype key', '{ "__proto__": { "json": true } }', /E_CONFIG.*no setting "__proto__"/],
  ])('%s is refused', async (_, text, message) => {
    config(text);
    const { code, stderr } = await tinyml(['convert', model()]);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
  });

  test('every setting of a command is known to the configuration file', async () => {
    const used = await Promise.all(
      commandTable.map(async ({ load }) => (await load()).command.options.map((option) => option.setting)),
    );
    const names = new Set(used.flat().filter((name) => name !== undefined));
    expect([...names].sort()).toEqual([...settingNames].sort());
  });
});

describe('output', () => {
  test('ops and ports give one JSON document', async () => {
    expect((await tinyml(['ops', '--json'])).json<{ ops: unknown[] }>().ops.length).toBeGreaterThan(20);
    expect((await tinyml(['ports', '--json'])).json()).toHaveProperty('ports');
  });

  test('a reader that goes away is no failure', async () => {
    const child = spawn('bash', [
      '-c',
      `"${process.execPath}" dist/cli/main.js ops | head -1; echo "\${PIPESTATUS[0]}"`,
    ]);
    let said = '';
    child.stdout.on('data', (chunk) => {
      said += chunk;
    });
    child.stderr.on('data', (chunk) => {
      said += chunk;
    });
    await new Promise((resolve) => child.on('close', resolve));
    expect(said.trim().split('\n').at(-1)).toBe('0');
    expect(said).not.toMatch(/EPIPE|error/);
  });

  test.each(['bash', 'zsh', 'fish', 'powershell'])(
    'the %s completion script names commands and options',
    async (shell) => {
      const { stdout } = await tinyml(['completion', shell]);
      expect(stdout).toContain('convert');
      expect(stdout).toMatch(/(--|-l )calib/);
    },
  );

  test('no colour off a terminal', async () => {
    expect((await tinyml(['doctor'])).stdout).not.toContain('\u001b');
  });
});
