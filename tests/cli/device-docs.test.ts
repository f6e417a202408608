import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { readBoard } from '../../boards/load.ts';
import { findTool } from '../../cli/tools/find-tool.ts';
import { python, pythonHas } from '../device/oracles.ts';
import { stackTrace, tinyml } from '../support/cli.ts';
import { FakeMachine } from '../support/fake-machine.ts';
import { FirmataBoard } from '../support/firmata-board.ts';

const root = join(import.meta.dirname, '..', '..');
const program = join(root, 'dist', 'cli', 'main.js');
const pages = ['devices', 'ports', 'esp32', 'boards'] as const;
const textOf = (page: string) => readFileSync(join(root, 'docs', `${page}.md`), 'utf8');

interface Block {
  readonly page: string;
  readonly kind: string;
  readonly text: string;
}

const blocks: Block[] = pages.flatMap((page) =>
  [...textOf(page).matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, kind = '', text = '']) => ({
    page,
    kind,
    text,
  })),
);
/** Lines of a block that are typed, without remarks. */
const commandsOf = ({ text }: Block) =>
  [...text.matchAll(/^\$ (.*)$/gm)].map(([, line]) => line!.replace(/\s+# .*$/, '').trim());
const commands = blocks.flatMap((block) => commandsOf(block));

/** The one command on the pages that has these words. */
function documented(...words: string[]): string[] {
  const found = commands.filter((line) => words.every((word) => line.includes(word)));
  expect(found).toHaveLength(1);
  run.add(found[0]!);
  return found[0]!.split(' ');
}
const run = new Set<string>();

const folder = mkdtempSync(join(tmpdir(), 'tinyml-docs-'));
const children: ChildProcess[] = [];
const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const gone = once(child, 'exit');
    child.kill('SIGINT');
    await gone;
  }
  for (const undo of cleanup.splice(0).reverse()) await undo();
});
afterAll(() => rmSync(folder, { recursive: true }));

const armGcc = findTool('arm-none-eabi-gcc');
const riscvGcc = findTool('riscv64-unknown-elf-gcc');
const qemu = findTool('qemu-system-arm');
const socat = findTool('socat');
const stm32flash = findTool('stm32flash');
const hasStm32loader = await pythonHas('stm32loader');
const hasEsptool = await pythonHas('esptool');

/** Runs a documented command line in the folder, with other words in the place of some; all that it said. */
async function type(words: readonly string[], instead: Readonly<Record<string, string>> = {}, env = {}) {
  const [first = '', ...args] = words.map((word) => instead[word] ?? word);
  if (first === 'tinyml') return tinyml(args, { cwd: folder, env });
  const path = { python: python!, esptool: python!, stm32flash: stm32flash! }[first];
  const module = first === 'esptool' ? ['-m', 'esptool'] : [];
  const child = spawn(path!, [...module, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += String(text)));
  const [code] = (await once(child, 'close')) as [number];
  return { code, stdout: said, stderr: said };
}

interface Running {
  readonly board: string;
  readonly ports: readonly string[];
}

/** A board that a documented command starts: the document that it prints. */
async function board(words: readonly string[]): Promise<Running> {
  expect(words.slice(0, 3)).toEqual(['tinyml', 'boards', 'run']);
  const args = [...words.slice(1), ...(words.includes('--json') ? [] : ['--json'])];
  const child = spawn(process.execPath, [program, ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  children.push(child);
  const [line] = (await once(child.stdout!, 'data')) as [Buffer];
  return JSON.parse(String(line)) as Running;
}

beforeAll(async () => {
  const example = join(root, 'examples', 'motor-fault');
  copyFileSync(join(example, 'model.onnx'), join(folder, 'model.onnx'));
  writeFileSync(join(folder, 'data.bin'), Buffer.alloc(10_000, 7));
  const calib = ['--calib', join(example, 'data.npz')];
  expect((await tinyml(['convert', 'model.onnx', '-o', 'made', ...calib], { cwd: folder })).code).toBe(0);
  copyFileSync(join(folder, 'made', 'model.tflite'), join(folder, 'kws_int8.tflite'));
  if (!armGcc) return;
  expect((await tinyml(['build', 'made', '--board', 'virtual-stm32f405'], { cwd: folder })).code).toBe(0);
  for (const name of ['firmware.bin', 'firmware.elf'])
    copyFileSync(join(folder, 'made', 'firmware', 'virtual-stm32f405', name), join(folder, name));
}, 120_000);

const minutes = (count: number) => ({ timeout: count * 60_000 });

describe('docs/devices.md', () => {
  test.skipIf(!qemu)('a board runs and prints what is shown (skipped without QEMU)', minutes(2), async () => {
    const shown = blocks.find(({ text }) => text.includes('boards run virtual-stm32f405 --json'))!;
    const sample = JSON.parse(shown.text.split('\n')[1]!) as Running;
    const started = await board(documented('boards run virtual-stm32f405', '--json'));
    const shape = ({ board: id, ports }: Running) => [id, ports.map((port) => port.replace(/\d+$/, ''))];
    expect(shape(started)).toEqual(shape(sample));
  });

  test.skipIf(!qemu || !socat || !stm32flash || !armGcc)(
    'stm32flash writes it through its pty (skipped without it, socat, QEMU or compiler)',
    minutes(2),
    async () => {
      const { ports } = await board(documented('virtual-stm32f405', '--pty', '--boot bootloader'));
      const { code, stdout } = await type(documented('stm32flash -m'), { '/dev/pts/3': ports[2]! });
      expect(stdout).toContain('(100.00%) Done.');
      expect(code).toBe(0);
    },
  );

  test.skipIf(!qemu || !hasStm32loader || !armGcc)(
    'stm32loader writes it through RFC 2217 by the recipe (skipped without it, QEMU or compiler)',
    minutes(3),
    async () => {
      const [recipe] = blocks.filter(({ kind }) => kind === 'python');
      writeFileSync(join(folder, 'stm32loader-rfc2217.py'), recipe!.text);
      const { ports } = await board(['tinyml', 'boards', 'run', 'virtual-stm32f405']);
      const line = documented('stm32loader-rfc2217.py');
      const { code, stdout } = await type(line, { 'rfc2217://127.0.0.1:40351': ports[0]! });
      expect(stdout).toContain('Verification OK');
      expect(code).toBe(0);
    },
  );

  test.skipIf(!socat || !hasEsptool)(
    'esptool writes a virtual ESP32-C3 through its pty, and reads its flash’s id (skipped without it or socat)',
    minutes(3),
    async () => {
      const { ports } = await board(documented('virtual-esp32c3', '--pty'));
      const instead = { '/dev/pts/3': ports[2]!, 'rfc2217://127.0.0.1:40351': ports[0]! };
      const written = await type(documented('esptool', 'write-flash'), instead);
      expect(written).toMatchObject({ code: 0, stdout: expect.stringContaining('Hash of data verified') });
      const id = await type(documented('esptool', 'flash-id'), instead);
      expect(id).toMatchObject({ code: 0, stdout: expect.stringContaining('Detected flash size: 4MB') });
    },
  );
});

describe('docs/ports.md', () => {
  /** A monitor that is left when it has heard what is waited for. */
  async function monitor(
    words: readonly string[],
    instead: Readonly<Record<string, string>>,
    heard: RegExp,
    env = {},
  ) {
    const args = words.slice(1).map((word) => instead[word] ?? word);
    const child = spawn(process.execPath, [program, ...args], {
      cwd: folder,
      env: { ...process.env, ...env },
    });
    children.push(child);
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += String(text)));
    await expect.poll(() => said, { timeout: 60_000 }).toMatch(heard);
    return said;
  }

  /** A port that somebody is behind. */
  async function portOf(serve: (socket: Socket) => void): Promise<string> {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      serve(socket);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanup.push(() => server.close());
    return `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  test('a monitor with times and a log', minutes(2), async () => {
    const port = await portOf((socket) => socket.write('hello from the board\n'));
    const words = documented('monitor', '--timestamps');
    const said = await monitor(words, { '/dev/ttyACM0': port }, /\d\d:\d\d.*hello from the board/);
    expect(said).not.toMatch(stackTrace);
    expect(readFileSync(join(folder, 'board.log'), 'utf8')).toContain('hello from the board');
  });

  test.skipIf(!socat || !armGcc)(
    'a monitor by USB ids that restarts the board (skipped without socat or compiler)',
    minutes(2),
    async () => {
      const { ports } = await board(['tinyml', 'boards', 'run', 'virtual-esp32c3', '--pty']);
      const machine = new FakeMachine();
      cleanup.push(() => machine.remove());
      machine.tty('ttyACM0', { vendorId: '303a', productId: '1001', serialNumber: 'A1' }, ports[2]!);
      const words = documented('monitor 303a:1001', '--elf firmware.elf', '--reset');
      await monitor(words, {}, /no modem lines|ESP-ROM|invalid header/, machine.env);
    },
  );

  test.skipIf(!qemu || !armGcc)(
    'a recording by our firmware (skipped without QEMU or compiler)',
    minutes(4),
    async () => {
      const words = documented('record set.npz', '--flash');
      const { code, stderr } = await type(words, { 'nucleo-f446re': 'virtual-stm32f405', '30': '3' });
      expect(stderr).not.toMatch(/^error/m);
      expect(code).toBe(0);
      expect(existsSync(join(folder, 'set.npz'))).toBe(true);
    },
  );

  test('a recording by Firmata', minutes(2), async () => {
    const port = await portOf((socket) => {
      const firmata = new FirmataBoard((bytes) => socket.write(bytes));
      socket.on('data', (bytes) => firmata.receive(bytes));
      socket.on('close', () => firmata.stop());
    });
    const words = documented('record set.csv', '--via firmata');
    const { code, stderr } = await type(words, { '/dev/ttyACM0': port, '500': '20' });
    expect(stderr).not.toMatch(/^error/m);
    expect(code).toBe(0);
  });
});

describe.skipIf(!riscvGcc)(`docs/esp32.md${riscvGcc ? '' : ' (needs riscv64-unknown-elf-gcc)'}`, () => {
  test('converts, measures, deploys and writes a project', minutes(5), async () => {
    const lines = [
      documented('convert kws_int8.tflite'),
      documented('bench out --board virtual-esp32c3'),
      documented('deploy kws_int8.tflite'),
      documented('build out', '--project esp-idf'),
    ];
    for (const words of lines) {
      const { code, stderr } = await type(words, { 'esp32-c3-devkitm-1': 'virtual-esp32c3' });
      expect([words.join(' '), code, stderr.match(/^error.*/m)?.[0]]).toEqual([
        words.join(' '),
        0,
        undefined,
      ]);
    }
    expect(existsSync(join(folder, 'out', 'firmware', 'esp32-s3-devkitc-1-esp-idf'))).toBe(true);
  });
});

test('docs/boards.md shows a board file that is one', () => {
  const [file] = blocks.filter(({ kind }) => kind === 'json');
  expect(readBoard(file!.text, 'my-board.json')).toMatchObject({ id: 'my-board' });
});

describe('all pages', () => {
  test('have no block of commands that is not marked as one', () => {
    expect(blocks.map(({ page, kind }) => [page, kind])).toEqual(
      blocks.map(({ page, kind }) => [page, expect.stringMatching(/^(console|python|json)$/) && kind]),
    );
    for (const { kind, text } of blocks) if (kind === 'console') expect(text).toMatch(/^\$ /m);
  });

  /** `tinyml NAME ... --option` between backticks. */
  const inline = pages.flatMap((page) =>
    [...textOf(page).matchAll(/`tinyml ([a-z]+)([^`\n]*)`/g)].map(([, name = '', rest = '']) => ({
      page,
      name,
      rest,
    })),
  );

  test('speak of commands and options that there are', minutes(2), async () => {
    const helps = new Map<string, string>();
    for (const { page, name, rest } of inline) {
      if (!helps.has(name)) helps.set(name, (await tinyml([name, '--help'])).stdout);
      for (const [option] of rest.matchAll(/--[a-z-]+/g))
        expect(`${page}: ${helps.get(name)}`).toContain(option);
      expect(helps.get(name), `${page}: tinyml ${name}`).toMatch(/^Usage|usage/m);
    }
    expect(inline.length).toBeGreaterThan(15);
  });

  test('speak of test files and test names that there are', () => {
    const named = pages.flatMap((page) => [
      ...textOf(page).matchAll(/npx vitest run (\S+?)(?: -t (?:"([^"]+)"|(\w+)))?`/g),
    ]);
    for (const [, path = '', quoted, word] of named) {
      expect(existsSync(join(root, path)), path).toBe(true);
      const name = quoted ?? word;
      if (name !== undefined) expect(readFileSync(join(root, path), 'utf8')).toContain(name);
    }
    expect(named.length).toBeGreaterThan(4);
  });

  test('have no command that none of these tests runs', () => {
    const able = qemu && socat && stm32flash && armGcc && riscvGcc && hasStm32loader && hasEsptool;
    const left = commands.filter((line) => !run.has(line));
    if (able) expect(left).toEqual([]);
    else expect(commands.length).toBeGreaterThan(left.length);
  });
});
