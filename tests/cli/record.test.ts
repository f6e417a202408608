import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { findTool } from '../../cli/tools/find-tool.ts';
import { readNpz } from '../../converter/data/npz.ts';
import { openPty } from '../../device/virtual/pty.ts';
import { tinyml } from '../support/cli.ts';
import { FirmataBoard } from '../support/firmata-board.ts';

const example = join(import.meta.dirname, '..', '..', 'examples', 'motor-fault');
const missing = ['arm-none-eabi-gcc', 'qemu-system-arm'].filter((name) => !findTool(name));
const needs = missing.length > 0 ? ` (needs ${missing.join(', ')})` : '';
const program = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js');
const socat = findTool('socat');

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinyml-test-record-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step();
});
const at = (name: string) => join(folder, name);
const arraysOf = (path: string) => readNpz(readFileSync(path), path);

interface Report {
  readonly rateHz: number;
  readonly samples: number;
  readonly dropped: { total: number; onBoard: number | null };
  readonly windows: number;
  readonly shape: readonly number[];
  readonly total: number;
  readonly classes: Record<string, number>;
}

async function record(file: string, ...options: string[]): Promise<Report> {
  const { code, stderr, json } = await tinyml(['record', file, '--json', ...options]);
  expect(stderr).not.toContain('error');
  expect(code).toBe(0);
  return json<Report>();
}

const namesIn = (path: string) => {
  const classes = arraysOf(path).get('classes')!;
  const width = classes.shape[1]!;
  const row = (i: number) => Buffer.from(classes.data.subarray(i * width, (i + 1) * width) as Uint8Array);
  return Array.from({ length: classes.shape[0]! }, (_, i) => row(i).toString().replace(/\0+$/, ''));
};

describe.skipIf(missing.length > 0)(`record from the emulated board${needs}`, () => {
  let sine: readonly string[] = [];
  let on: readonly string[] = [];
  let running: ChildProcess | undefined;
  beforeAll(async () => {
    running = spawn(process.execPath, [program, 'boards', 'run', 'virtual-stm32f405', '--json'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const line = await new Promise<string>((resolve) =>
      running!.stdout!.once('data', (chunk) => resolve(String(chunk))),
    );
    const { ports } = JSON.parse(line) as { ports: string[] };
    on = ['-p', ports[0]!];
    sine = [...on, '--source', 'sine:0,2', '--rate', '5000', '--samples', '130'];
    // The first one writes the firmware that the others find.
    await record(
      at('first.csv'),
      ...on,
      '--flash',
      '--source',
      'counter',
      '--samples',
      '1',
      '--rate',
      '5000',
    );
  });
  afterAll(() => running?.kill('SIGINT'));

  test('a sine is one, at the rate of the board, in windows with labels', async () => {
    const report = await record(at('sine.npz'), ...sine, '--label', 'walking', '--window', '64');
    expect(report).toMatchObject({
      rateHz: 5000,
      samples: 130,
      dropped: { total: 0, onBoard: 0 },
      windows: 2,
      shape: [64, 2],
      classes: { walking: 2 },
    });
    const x = arraysOf(at('sine.npz')).get('x')!;
    expect(x).toMatchObject({ shape: [2, 64, 2], dtype: 'float32' });
    for (let i = 0; i < 128; i++) {
      for (const [column, shift] of [0, 16].entries()) {
        const wanted = 10_000 * Math.sin((2 * Math.PI * (i + shift)) / 64);
        expect(Math.abs(x.data[2 * i + column]! - wanted)).toBeLessThan(1);
      }
    }
  });

  test('further recordings are added, with their labels and the names of the classes', async () => {
    const file = at('more.npz');
    await record(file, ...sine, '--label', 'walking', '--window', '16', '--hop', '8');
    const report = await record(file, ...sine, '--label', 'running', '--window', '16');
    expect(report).toMatchObject({ windows: 8, total: 23, classes: { walking: 15, running: 8 } });
    expect([...arraysOf(file).get('y')!.data]).toEqual([...new Array(15).fill(0), ...new Array(8).fill(1)]);
    expect(namesIn(file)).toEqual(['walking', 'running']);
    for (const [options, code] of [
      [['--label', 'walking', '--window', '32'], 'E_RECORD_SHAPE'],
      [['--window', '16'], 'E_RECORD_LABELS'],
    ] as const) {
      const before = readFileSync(file);
      const refused = await tinyml(['record', file, ...sine, ...options]);
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining(code) });
      expect(readFileSync(file).equals(before)).toBe(true);
    }
  });

  test('windows in the shape of a model go through tinyml eval as they are', async () => {
    const model = join(example, 'model.onnx');
    const options = [...on, '--source', 'sine:0,1,2', '--rate', '5000', '--samples', '256', '--model', model];
    const report = await record(at('model.npz'), ...options, '--label', 'a', '--scale', '0.0001');
    expect(report).toMatchObject({ windows: 2, shape: [3, 128] });
    const x = arraysOf(at('model.npz')).get('x')!;
    // Channels first, as the model has them: a quarter of the period into the first channel.
    expect(x.data[16]).toBeCloseTo(1, 5);
    expect(x.data[128 + 8]).toBeCloseTo(1, 5);
    const { code, json } = await tinyml([
      'eval',
      model,
      '--data',
      at('model.npz'),
      '--engine',
      'float',
      '--json',
    ]);
    expect(code).toBe(0);
    expect(json()).toMatchObject({ n: 2 });
    const wrong = await tinyml(['record', at('wrong.npz'), ...sine, '--model', model]);
    expect(wrong).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/E_RECORD_SHAPE.*2 channels.*\[1, 3, 128\]/),
    });
  });

  test('a table, with the label in its last column, grows too', async () => {
    await record(
      at('set.csv'),
      '--source',
      'counter:0,5',
      '--rate',
      '5000',
      '--samples',
      '3',
      '--label',
      'up',
    );
    await record(
      at('set.csv'),
      '--source',
      'counter:1',
      '--rate',
      '5000',
      '--samples',
      '2',
      '--window',
      '2',
      '--label',
      'on',
    );
    expect(readFileSync(at('set.csv'), 'utf8')).toBe('x0,x1,label\n0,5,up\n1,6,up\n2,7,up\n1,2,on\n');
  });

  test('the emulated ADC counts up by seven with each conversion', async () => {
    await record(at('adc.npz'), ...on, '--source', 'adc:4,5', '--rate', '5000', '--samples', '40');
    const { data } = arraysOf(at('adc.npz')).get('x')!;
    const steps = Array.from(data.slice(1), (value, i) => (value - data[i]! + 4096) % 4096);
    expect(new Set(steps)).toEqual(new Set([7]));
  });

  test('a pin that is the wire to the host is no sensor', async () => {
    const { code, stderr } = await tinyml([
      'record',
      at('no.npz'),
      ...on,
      '--source',
      'adc:19',
      '--samples',
      '1',
    ]);
    expect(stderr).toMatch(/E_REQUEST_REFUSED.*no such sensor/);
    expect(code).toBe(2);
  });

  test('what the board cannot keep up with is counted, and no window spans a gap', async () => {
    const options = [...on, '--source', 'counter:0,1,2,3,4,5,6,7', '--rate', '1000000', '--samples', '6000'];
    const report = await record(at('fast.npz'), ...options, '--window', '4');
    expect(report.dropped.total).toBeGreaterThan(0);
    expect(report.samples + report.dropped.total).toBe(6000);
    expect(report.windows).toBeGreaterThan(0);
    const { data } = arraysOf(at('fast.npz')).get('x')!;
    for (let window = 0; window < report.windows; window++) {
      const first = data[window * 32]!;
      const wanted = Array.from({ length: 32 }, (_, i) => first + (i >> 3) + (i & 7));
      expect(Array.from(data.subarray(window * 32, window * 32 + 32))).toEqual(wanted);
    }
  });

  test.each([[['--board', 'virtual-stm32f405']], [[]]])(
    'monitor --reset restarts the board, known or not (%j), and says what starts',
    async (board) => {
      const { code, stdout } = await tinyml([
        'monitor',
        ...on,
        ...board,
        '--reset',
        '--json',
        '--seconds',
        '4',
      ]);
      expect(code).toBe(0);
      const events = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      expect(events[0]).toMatchObject({ event: 'reset' });
      expect(events).toContainEqual(expect.objectContaining({ event: 'ready', board: 'virtual-stm32f405' }));
    },
  );

  test('the RISC-V board has the synthetic sources and says that it has no ADC', async () => {
    if (!findTool('riscv64-unknown-elf-gcc') || !findTool('qemu-system-riscv32')) return;
    const board = ['--board', 'virtual-rv32imc', '--rate', '5000', '--samples', '4'];
    await record(at('riscv.csv'), ...board, '--source', 'counter');
    expect(readFileSync(at('riscv.csv'), 'utf8')).toBe('x0\n0\n1\n2\n3\n');
    const refused = await tinyml(['record', at('no.csv'), ...board, '--source', 'adc:0']);
    expect(refused.stderr).toContain('no such sensor');
  });
});

describe('record refuses', () => {
  test.each([
    ['no length', ['x.npz', '--source', 'sine'], 'how long?'],
    ['two lengths', ['x.npz', '--source', 'sine', '--seconds', '1', '--samples', '1'], 'how long?'],
    ['an unknown kind of file', ['x.txt', '--source', 'sine', '--samples', '1'], '.npz or .csv'],
    ['an unknown source', ['x.npz', '--source', 'nose', '--samples', '1'], 'E_BAD_VALUE'],
    ['a channel twice', ['x.npz', '--source', 'adc:1,1', '--samples', '1'], 'E_BAD_VALUE'],
    ['nine channels', ['x.npz', '--source', 'adc:0,1,2,3,4,5,6,7,8', '--samples', '1'], 'E_BAD_VALUE'],
    ['an I2C address of eight bits', ['x.npz', '--source', 'i2c:0x80:0', '--samples', '1'], 'E_BAD_VALUE'],
    ['I2C without Firmata', ['x.npz', '--source', 'i2c:0x68:0x3b', '--samples', '1'], '--via firmata'],
    [
      'a label that would break a table',
      ['x.npz', '--source', 'sine', '--samples', '1', '--label', 'a,b'],
      'E_BAD_VALUE',
    ],
    [
      'Firmata without a port',
      ['x.npz', '--source', 'adc', '--samples', '1', '--via', 'firmata'],
      'which port?',
    ],
  ])('%s, exit code 1', async (_, args, words) => {
    const { code, stderr } = await tinyml(['record', ...args], { cwd: folder });
    expect(stderr).toContain(words);
    expect(code).toBe(1);
  });
});

/** A Firmata board behind a socket. */
async function firmataAt(
  onBoard: (board: FirmataBoard, socket: Socket) => void = () => {},
): Promise<{ port: string; connect: () => Socket }> {
  const server = createServer((socket) => {
    const board = new FirmataBoard((bytes) => socket.write(bytes));
    onBoard(board, socket);
    socket.on('data', (bytes) => board.receive(bytes));
    socket.on('close', () => board.stop());
    socket.on('error', () => {});
    board.boot();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.push(() => server.close());
  const { port } = server.address() as { port: number };
  const connect = () => {
    const socket = new (require('node:net').Socket)() as Socket;
    cleanup.push(() => socket.destroy());
    return socket.connect(port, '127.0.0.1');
  };
  return { port: `tcp://127.0.0.1:${port}`, connect };
}

const require = createRequire(import.meta.url);

describe('record through Firmata', () => {
  const firmata = ['--via', 'firmata', '--source', 'adc:0,3', '--rate', '100'];

  test("the board of these tests serves the firmata-io package, johnny-five's own client", async () => {
    const { connect } = await firmataAt();
    const socket = connect();
    class Wire extends EventEmitter {
      isOpen = true;
      write(bytes: Uint8Array, done?: () => void) {
        socket.write(bytes, done);
      }
    }
    const wire = new Wire();
    socket.on('data', (bytes) => wire.emit('data', bytes));
    // biome-ignore lint/suspicious/noExplicitAny: the package has no types
    const Firmata = (require('firmata-io') as any).Firmata;
    const board = new Firmata(wire, { skipCapabilities: false, reportVersionTimeout: 100 });
    wire.emit('open');
    await new Promise((resolve) => board.once('ready', resolve));
    expect(board.analogPins).toHaveLength(6);
    board.setSamplingInterval(20);
    const values: number[] = [];
    await new Promise<void>((resolve) =>
      board.analogRead(3, (value: number) => values.push(value) === 5 && resolve()),
    );
    expect(values).toEqual([0, 1, 2, 3, 4].map((round) => FirmataBoard.valueOf(3, round)));
    board.i2cConfig();
    const [high, low] = await new Promise<number[]>((resolve) => board.i2cRead(0x68, 0x3b, 2, resolve));
    const possible = Array.from({ length: 200 }, (_, round) => FirmataBoard.i2cValueOf(0, round));
    expect(possible).toContain((high! << 8) | low!);
  });

  test('analog inputs, channel by channel, in windows', async () => {
    const { port } = await firmataAt();
    const report = await record(
      at('firmata.npz'),
      ...firmata,
      '-p',
      port,
      '--samples',
      '40',
      '--window',
      '20',
      '--label',
      'x',
    );
    expect(report).toMatchObject({
      rateHz: 100,
      samples: 40,
      windows: 2,
      shape: [20, 2],
      dropped: { onBoard: null },
    });
    const { data } = arraysOf(at('firmata.npz')).get('x')!;
    const first = data[0]!;
    for (let i = 0; i < 40; i++) expect([data[2 * i], data[2 * i + 1]]).toEqual([first + i, first + i + 300]);
  });

  test('an I2C sensor is set up first, then read with its sign', async () => {
    let device: FirmataBoard | undefined;
    const { port } = await firmataAt((board) => {
      device = board;
    });
    const source = [
      '--source',
      'i2c:0x68:0x3b:int16be:3',
      '--i2c-setup',
      '0x6b=0',
      '--i2c-setup',
      '0x1c=0x18',
    ];
    await record(at('i2c.csv'), '--via', 'firmata', '-p', port, '--rate', '200', ...source, '--samples', '5');
    expect(device!.i2cWrites).toEqual([
      [0x68, 0x6b, 0],
      [0x68, 0x1c, 0x18],
    ]);
    const rows = readFileSync(at('i2c.csv'), 'utf8')
      .trim()
      .split('\n')
      .slice(1)
      .map((row) => row.split(',').map(Number));
    for (const row of rows) expect([row[0]! - row[1]!, row[1]! - row[2]!]).toEqual([7, 7]);
    expect(rows.map(([first]) => rows[0]![0]! - first!)).toEqual([0, 1, 2, 3, 4]);
  });

  test('a sample of which a part was lost is dropped and counted', async () => {
    const { port } = await firmataAt((board) => board.lost.add(11));
    const report = await record(at('lossy.csv'), ...firmata, '-p', port, '--samples', '20');
    expect(report.samples).toBe(20);
    expect(report.dropped.total).toBeGreaterThanOrEqual(1);
    const rows = readFileSync(at('lossy.csv'), 'utf8').trim().split('\n').slice(1);
    for (const row of rows) {
      const [first, second] = row.split(',').map(Number);
      expect(second! - first!).toBe(300);
    }
  });

  test.each([
    ['the board goes', (child: ChildProcess, socket: Socket) => void (child.killed || socket.destroy()), 2],
    ['Ctrl-C', (child: ChildProcess) => void child.kill('SIGINT'), 130],
  ] as const)('what came before the end is kept when %s', async (name, end, exit) => {
    let socket: Socket | undefined;
    const { port } = await firmataAt((_board, its) => {
      socket = its;
    });
    const file = at(`${name.replaceAll(' ', '-')}.csv`);
    const args = ['record', file, ...firmata, '-p', port, '--samples', '100000'];
    const { code, stderr } = await tinyml(args, {
      onStart: (child) => {
        child.stderr!.on('data', (text) => {
          if (String(text).includes('look for Firmata')) setTimeout(() => end(child, socket!), 700);
        });
      },
    });
    expect(code).toBe(exit);
    expect(stderr).toMatch(/ended early; what came before it was kept: \d+ of \[2\]/);
    expect(readFileSync(file, 'utf8').split('\n').length).toBeGreaterThan(10);
  });

  test('an input that the board has not, and a board that speaks something else', async () => {
    const { port } = await firmataAt();
    const args = ['record', at('no.npz'), '--via', 'firmata', '--samples', '1', '-p'];
    const input = await tinyml([...args, port, '--source', 'adc:9']);
    expect(input).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/E_FIRMATA_CHANNEL.*9[\s\S]*0, 1, 2, 3, 4, 5/),
    });
    const server = createServer((socket) => socket.end('hello, I am a printer'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanup.push(() => server.close());
    const other = `tcp://127.0.0.1:${(server.address() as { port: number }).port}`;
    const { code, stderr } = await tinyml([...args, other, '--source', 'adc:0']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/E_DEVICE_LOST|E_FIRMATA_SILENT/);
  });

  test.skipIf(!socat)(`on a pty${socat ? '' : ' (needs socat)'}`, async () => {
    const board = new FirmataBoard((bytes) => line.write(bytes));
    const line = await openPty(socat!, (bytes) => board.receive(bytes));
    cleanup.push(
      () => line.close(),
      () => board.stop(),
    );
    const report = await record(at('pty.csv'), ...firmata, '-p', line.path, '--samples', '10');
    expect(report).toMatchObject({ samples: 10, channels: [0, 3] });
  });
});
