import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { commandTable } from '../../cli/command-table.ts';
import { findTool } from '../../cli/tools/find-tool.ts';
import { visibleJson, visibleLine, visibleText } from '../../common/visible-text.ts';
import { readNpz } from '../../converter/data/npz.ts';
import { type CliOptions, stackTrace, tinyml } from '../support/cli.ts';
import { FakeMachine } from '../support/fake-machine.ts';
import { withNames } from '../support/onnx-drafts.ts';

// Some of these compile and emulate, and a busy machine takes its time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const example = join(import.meta.dirname, '..', '..', 'examples', 'motor-fault');

/** Invisible, turning and tag characters: what a path, an option or a name of a class may hold as well. */
const sly = '\u202e\u200b\u2028\u061c\u2066\ufeff\ufffb\u{e0041}\u{e0100}';
/** Also what acts on terminals, and forges lines. */
const loud = `\u001b]0;title\u0007\u001b[31m\u009b2J\u007f\r\n${sly}`;

/** No output holds any of these; line feeds and tabs are for the program itself. */
const raw =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e01ef}]/u;

describe('text made visible', () => {
  test('what cannot be seen stands as its number, anything else as it is', () => {
    const kept = 'naïve 日本 مرحبا 😀 \\u \n\tend';
    expect(visibleText(kept)).toBe(kept);
    expect(visibleText(loud)).not.toMatch(raw);
    expect(visibleText('\u202e\u{e0041}\ud800\0')).toBe('\\u202e\\u{e0041}\\ud800\\u0000');
    expect(visibleLine('a\nb\tc')).toBe('a\\u000ab c');
  });

  test('JSON means the same', () => {
    const document = { [loud]: [loud, '\ud800', '\\u202e'] };
    const text = visibleJson(JSON.stringify(document, undefined, 2));
    expect(text).not.toMatch(raw);
    expect(JSON.parse(text)).toEqual(document);
  });
});

let folder = '';
let machine: FakeMachine;
let server: Server;
let port = '';
const at = (name: string) => join(folder, name);
const model = `model${sly}.onnx`;
const data = `data${sly}.csv`;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), `tinyml-test-names-${sly}-`));
  writeFileSync(
    at(model),
    withNames(readFileSync(join(example, 'model.onnx')), (name) => `${name}${loud}`),
  );
  const { x, y } = Object.fromEntries(readNpz(readFileSync(join(example, 'data.npz')), 'data.npz'));
  const rows = Array.from({ length: 240 }, (_, i) => {
    const cells = Array.from(x!.data.slice(i * 384, (i + 1) * 384), (value) => value.toFixed(3));
    return [...cells, `class${sly}${y!.data[i]}`].join(',');
  });
  const head = [...Array.from({ length: 384 }, (_, i) => `x${i}\u200b`), 'label'].join(',');
  writeFileSync(at(data), `${[head, ...rows].join('\n')}\n`);
  copyFileSync(at(data), at('data.csv'));
  writeFileSync(at(`board${sly}.json`), JSON.stringify({ [`id${loud}`]: loud, name: loud }));
  machine = new FakeMachine();
  const usb = { vendorId: '0483', productId: '374b', product: loud, serialNumber: loud };
  machine.tty('ttyACM0', usb);
  machine.process(4242, `evil${loud}`, [join(machine.root, 'dev/ttyACM0')]);
  server = createServer((socket) => {
    socket.on('error', () => {});
    socket.end(`${loud}\nrst:0x1 (POWERON),boot:0x4 (${loud})\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = `tcp://127.0.0.1:${(server.address() as { port: number }).port}`;
  await tinyml(['convert', model, '--calib', data, '-o', `out${sly}`], { cwd: folder });
});
afterAll(() => {
  server.close();
  machine.remove();
  rmSync(folder, { recursive: true, force: true });
});

interface Case {
  readonly words: () => readonly string[];
  readonly env?: () => Readonly<Record<string, string>>;
  /** Exit codes that are right; 0 when not given. */
  readonly codes?: readonly number[];
}

const canBuild = findTool('arm-none-eabi-gcc') !== undefined && findTool('qemu-system-arm') !== undefined;
const built = canBuild ? [0] : [2];
const out = `out${sly}`;

/** At least one call of each command that meets as many names of others as there are. */
const cases: Readonly<Record<string, readonly Case[]>> = {
  inspect: [
    { words: () => [model] },
    { words: () => [model, '--kernels', '--calib', data] },
    { words: () => [`no${sly}.onnx`], codes: [1] },
  ],
  convert: [
    { words: () => [model, '--calib', data, '-o', `again${sly}`] },
    {
      words: () => [
        model,
        '--calib',
        data,
        '-o',
        `more${sly}`,
        '--data',
        data,
        '--dump-after',
        'infer-shapes',
      ],
    },
    { words: () => [model, '--quantize', 'float', '--keep-float', sly, '-o', `float${sly}`], codes: [0, 1] },
    { words: () => [model, '--calib', data, '--to', 'onnx-qdq', '-o', `q${sly}.onnx`] },
  ],
  prune: [
    {
      words: () => [
        model,
        ...[
          '--data',
          data,
          '--target',
          'macs=0.8',
          '--no-fine-tune',
          '--criterion',
          'l2',
          '-o',
          `p${sly}.onnx`,
        ],
      ],
    },
  ],
  analyze: [
    {
      words: () => [model, '--calib', data, '--data', data, '--plot', `plot${sly}.svg`, '-o', `best${sly}`],
      codes: [0, 3],
    },
  ],
  run: [
    { words: () => [model, '--input', data] },
    { words: () => [model, '--input', data, '-o', `y${sly}.npy`] },
  ],
  eval: [{ words: () => [model, '--data', data] }],
  deploy: [{ words: () => [model, '--calib', data, '-o', `deployed${sly}`], codes: built }],
  build: [
    { words: () => [out], codes: built },
    { words: () => [out, '--board', `board${sly}.json`], codes: [1] },
  ],
  flash: [{ words: () => [out], codes: built }],
  verify: [{ words: () => [out, '--layers'], codes: built }],
  bench: [{ words: () => [out, '--profile', '--runs', '1'], codes: built }],
  search: [
    {
      words: () => [
        model,
        '--data',
        data,
        '--trials',
        '1',
        '--budget',
        'accuracy>=0.01',
        '--study',
        `s${sly}.jsonl`,
      ],
      codes: canBuild ? [0, 3] : [1, 2, 3],
    },
  ],
  worker: [{ words: () => ['--queue', `redis://127.0.0.1:1/${sly}`], codes: [2] }],
  boards: [
    { words: () => [] },
    { words: () => ['show', `board${sly}.json`], codes: [1] },
    { words: () => [`act${loud}`], codes: [1] },
  ],
  ports: [{ words: () => [], env: () => machine.env }],
  doctor: [
    { words: () => ['--board', 'nucleo-f446re', '--boot-log', data], env: () => machine.env, codes: [0, 3] },
  ],
  monitor: [
    { words: () => [port, '--no-reconnect'], codes: [2] },
    { words: () => [`tcp://no${loud}.invalid:1`], codes: [1, 2] },
  ],
  record: [
    {
      words: () => [
        `set${sly}.csv`,
        '--source',
        'counter',
        '--samples',
        '2',
        '--port',
        `tcp://no${sly}.invalid:1`,
      ],
      codes: [1, 2],
    },
    { words: () => [data, '--source', 'counter', '--samples', '2', '--label', 'x'], codes: [1] },
  ],
  reset: [{ words: () => [`tcp://no${loud}.invalid:1`], codes: [1, 2] }],
  erase: [{ words: () => [`/dev/no${loud}`, '--board', 'blackpill-f411ce', '--yes'], codes: [1, 2] }],
  ops: [{ words: () => [] }],
  completion: [{ words: () => ['bash'] }, { words: () => [`sh${loud}`], codes: [1] }],
};

const calls = Object.entries(cases).flatMap(([name, list]) => list.map((one, i) => [name, i, one] as const));

/** What a board says passes as it comes, unless each line is a record. */
const isBoardText = (name: string, index: number) => name === 'monitor' && index === 0;

describe('names of others', () => {
  test('every command is tried', () => {
    expect(Object.keys(cases).sort()).toEqual(commandTable.map(({ name }) => name).sort());
  });

  test.each(calls)(
    '%s (%i): nothing unseen on stdout and stderr',
    async (name, index, { words, env, codes = [0] }) => {
      const options: CliOptions = { cwd: folder, env: { TINYML_SAMPLER: '', ...env?.() } };
      for (const more of [['--verbose'], ['--json', '--verbose']]) {
        const { code, stdout, stderr } = await tinyml(
          [name, ...words(), '--force', ...more].filter((word) => word !== '--force' || takesForce(name)),
          options,
        );
        expect(codes, `${stdout}${stderr}`).toContain(code);
        expect(stderr).not.toMatch(raw);
        if (!isBoardText(name, index) || more.includes('--json')) expect(stdout).not.toMatch(raw);
        if (code !== 70) expect(stderr.replace(/^ +at .*$/gm, '')).not.toMatch(stackTrace);
      }
    },
  );

  test('settings of the environment', async () => {
    for (const value of [sly, loud]) {
      const { code, stdout, stderr } = await tinyml(['bench', out], {
        cwd: folder,
        env: { TINYML_BOARD: value },
      });
      expect(code).toBe(1);
      expect(stdout + stderr).not.toMatch(raw);
    }
  });

  const takesForce = (name: string) => ['convert', 'analyze', 'deploy', 'build', 'search'].includes(name);

  test('files for people that were written meanwhile hold none either', () => {
    const texts = /\.(json|jsonl|svg|c|h|cc|txt|md|ld)$|Makefile$/;
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
      (name) => texts.test(name) && !name.startsWith('board'),
    );
    expect(files.filter((name) => name.endsWith('report.json')).length).toBeGreaterThan(2);
    expect(files.filter((name) => name.endsWith('.svg')).length).toBeGreaterThan(1);
    expect(files.filter((name) => raw.test(readFileSync(at(name), 'utf8')))).toEqual([]);
  });

  const hasScript = existsSync('/usr/bin/script');
  test.skipIf(!hasScript)(
    'on a terminal, with colours and live lines, only ours get through (needs script)',
    () => {
      mkdirSync(at('tty'), { recursive: true });
      const program = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js');
      for (const words of [
        ['convert', model, '--calib', data, '-o', 'tty/out', '--force'],
        ['inspect', `no${sly}\u001b]0;x\u0007.onnx`],
      ]) {
        const quoted = [process.execPath, program, ...words].map((word) => `'${word}'`).join(' ');
        const said = spawnSync('script', ['-qec', `stty cols 200; ${quoted}`, '/dev/null'], {
          cwd: folder,
          env: { ...process.env, TERM: 'xterm', NO_COLOR: '' },
          encoding: 'utf8',
        }).stdout;
        expect(said).toContain('\u001b[');
        // What drawing lines and colouring words take; line ends are those of a terminal.
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
        const ours = /\u001b\[[0-9;?]*[A-Za-z]|\r/g;
        expect(said.replace(ours, '')).not.toMatch(raw);
        expect(said).not.toContain('\u001b]0;');
      }
    },
  );
});
