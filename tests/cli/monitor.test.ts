import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { findTool } from '../../cli/tools/find-tool.ts';
import { encodeFrame } from '../../device/bench/frames.ts';
import { openPty, type Pty } from '../../device/virtual/pty.ts';
import { stackTrace, tinyml } from '../support/cli.ts';
import { FakeMachine } from '../support/fake-machine.ts';

const program = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js');
const socat = findTool('socat');
const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step();
});

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinyml-test-monitor-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);

/** A board at the end of a socket; the one who connects is handed over. */
async function board(onConnect: (socket: Socket) => void): Promise<string> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    onConnect(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.push(() => server.close());
  return `tcp://127.0.0.1:${(server.address() as { port: number }).port}`;
}

/** Says something and hangs up, so that a monitor without reconnection ends. */
const saying = (bytes: Uint8Array | string) => board((socket) => socket.end(bytes));

interface Record {
  readonly event?: string;
  readonly text?: string;
  readonly base64?: string;
  readonly port?: string;
  readonly lines?: readonly string[];
  readonly frames?: readonly { label: string; function: string; place?: string }[];
  readonly causes?: readonly string[];
}

/** The records of a monitor that ended because the board hung up; the last document is that error's. */
async function recordsOf(said: Uint8Array | string, ...options: string[]): Promise<Record[]> {
  const port = await saying(said);
  const { code, stdout } = await tinyml(['monitor', port, '--no-reconnect', '--json', ...options]);
  expect(code).toBe(2);
  return stdout
    .slice(0, stdout.indexOf('{\n'))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record);
}

const ALL_BYTES = Buffer.from(Array.from({ length: 512 }, (_, i) => i & 0xff));

/** stdout as bytes, which `tinyml` would decode. */
async function bytesFrom(port: string, ...options: string[]): Promise<Buffer> {
  const args = [program, 'monitor', port, '--no-reconnect', ...options];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk) => chunks.push(chunk));
  await new Promise((resolve) => child.once('close', resolve));
  return Buffer.concat(chunks);
}

describe('monitor', () => {
  test.each([[['--raw']], [[]]])('passes every byte on (%j)', async (options) => {
    const noise = Buffer.concat([ALL_BYTES, Buffer.alloc(5000, 0), ALL_BYTES, Buffer.alloc(3000, 7)]);
    expect(Buffer.compare(await bytesFrom(await saying(noise), ...options), noise)).toBe(0);
  });

  test('a device that goes for good ends it with exit code 2 when it shall not wait', async () => {
    const { code, stdout, stderr } = await tinyml([
      'monitor',
      await saying('last words\n'),
      '--no-reconnect',
    ]);
    expect(stdout).toBe('last words\n');
    expect(stderr).toContain('E_DEVICE_LOST');
    expect(stderr).not.toMatch(stackTrace);
    expect(code).toBe(2);
  });

  test('--timestamps at the start of each line, in the log as well', async () => {
    const log = at('board.log');
    writeFileSync(log, 'from before\n');
    const port = await saying('one\ntwo\nthr');
    const { stdout } = await tinyml(['monitor', port, '--no-reconnect', '--timestamps', '--log', log]);
    const stamp = String.raw`\d\d:\d\d:\d\d\.\d{3}`;
    expect(stdout).toMatch(new RegExp(`^${stamp} one\n${stamp} two\n${stamp} thr$`));
    expect(readFileSync(log, 'utf8')).toBe(`from before\n${stdout}`);
  });

  test('a log that cannot be written is named before the port is opened', async () => {
    const { code, stderr } = await tinyml([
      'monitor',
      'tcp://127.0.0.1:9',
      '--log',
      join(folder, 'no/where'),
    ]);
    expect(stderr).toMatch(/E_OUTPUT.*no\/where/);
    expect(code).toBe(1);
  });

  test('--json: a record for each line, bytes that are no text beside it', async () => {
    const records = await recordsOf(
      Buffer.concat([Buffer.from('plain ü\r\n'), Buffer.from([0x80, 0x0a]), Buffer.from('end')]),
    );
    expect(records).toMatchObject([
      { text: 'plain ü', time: expect.stringMatching(/^\d{4}-.*Z$/) },
      { text: '\u0080', base64: 'gA==' },
      { text: 'end' },
    ]);
    expect(records[0]).not.toHaveProperty('base64');
  });

  test('--seconds ends it by itself with exit code 0', async () => {
    const port = await board((socket) => socket.write('hello\n'));
    expect(await tinyml(['monitor', port, '--seconds', '1'])).toMatchObject({ code: 0, stdout: 'hello\n' });
  });

  test('what is piped in reaches the board', async () => {
    const heard: Buffer[] = [];
    const port = await board((socket) => {
      socket.on('data', (bytes) => {
        heard.push(bytes);
        socket.end('heard\n');
      });
    });
    const child = spawn(process.execPath, [program, 'monitor', port, '--no-reconnect']);
    child.stdin.end(ALL_BYTES);
    await new Promise((resolve) => child.once('close', resolve));
    expect(Buffer.compare(Buffer.concat(heard), ALL_BYTES)).toBe(0);
  });

  test('a server that comes back is followed', async () => {
    let times = 0;
    const port = await board((socket) => {
      times++;
      socket.write(`start ${times}\n`);
      if (times < 3) setTimeout(() => socket.end(), 50);
    });
    const { code, stdout } = await tinyml(['monitor', port, '--json', '--seconds', '6']);
    const records = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record);
    expect(records.filter(({ text }) => text).map(({ text }) => text)).toEqual([
      'start 1',
      'start 2',
      'start 3',
    ]);
    expect(records.filter(({ event }) => event).map(({ event }) => event)).toEqual([
      'lost',
      'back',
      'lost',
      'back',
    ]);
    expect(code).toBe(0);
  });
});

describe.skipIf(!socat)(`monitor and the terminal${socat ? '' : ' (needs socat)'}`, () => {
  test('a USB device that comes back under another name is found by its serial number', async () => {
    const machine = new FakeMachine();
    cleanup.push(() => machine.remove());
    const ids = { vendorId: '303a', productId: '1001', serialNumber: '7C:DF:A1:00:00:01' };
    const first = await openPty(socat!, () => {});
    machine.tty('ttyACM0', ids, first.path);
    const child = spawn(
      process.execPath,
      [program, 'monitor', '303a:1001:7c:df:a1:00:00:01', '--json', '--seconds', '20'],
      { env: { ...process.env, ...machine.env }, stdio: ['ignore', 'pipe', 'ignore'] },
    );
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    const ended = new Promise((resolve) => child.once('close', resolve));
    const said = (line: Pty, text: string) => {
      line.write(Buffer.from(text));
      return out;
    };
    // What is said before the port is open is lost, as on a real one.
    await expect.poll(() => said(first, 'before\n'), { timeout: 15_000 }).toContain('before');
    machine.unplug('ttyACM0');
    await first.close();
    await expect.poll(() => out, { timeout: 15_000 }).toContain('"lost"');
    // Another device of the same kind takes the old name meanwhile.
    const other = await openPty(socat!, () => {});
    cleanup.push(() => other.close());
    machine.tty('ttyACM0', { ...ids, serialNumber: '7C:DF:A1:00:00:02' }, other.path);
    const second = await openPty(socat!, () => {});
    cleanup.push(() => second.close());
    machine.tty('ttyACM1', ids, second.path);
    await expect.poll(() => out, { timeout: 15_000 }).toContain('"back"');
    await expect.poll(() => said(second, 'after\n'), { timeout: 15_000 }).toContain('after');
    child.kill('SIGINT');
    await ended;
    expect(out).toMatch(/"event":"back","port":"\S*\/dev\/ttyACM1"/);
  });

  test('keys: text and Ctrl-C to the board, a menu, Ctrl-] leaves with exit code 0', async () => {
    let heard = '';
    const port = await board((socket) => {
      socket.write('ready\n');
      socket.on('data', (bytes) => {
        heard += bytes.toString('latin1');
      });
    });
    const command = `${process.execPath} ${program} monitor ${port} --newline lf`;
    const child = spawn(socat!, [
      '-',
      `EXEC:"${command.replaceAll(':', '\\:')}",pty,ctty,setsid,stderr,raw,echo=0`,
    ]);
    let screen = '';
    child.stdout.on('data', (chunk) => {
      screen += chunk;
    });
    await expect.poll(() => screen, { timeout: 15_000 }).toContain('ready');
    child.stdin.write('help\r\x03');
    await expect.poll(() => heard, { timeout: 5_000 }).toBe('help\n\x03');
    child.stdin.write('\x14\x08');
    await expect.poll(() => screen, { timeout: 5_000 }).toContain('Ctrl-T Ctrl-R  restart the board');
    child.stdin.write('\x14\x14\x14\x1d');
    await expect.poll(() => heard, { timeout: 5_000 }).toBe('help\n\x03\x14\x1d');
    child.stdin.write('\x1d');
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
  });
});

/** A program with functions to crash in, linked to an address of its kind of chip. */
function linked(compiler: string, name: string, flags: readonly string[], text: number) {
  const source = `
    volatile int sink;
    __attribute__((noinline)) void inner(void) { sink = 1; __asm__ volatile("" ::: "memory"); sink = 2; }
    __attribute__((noinline)) void outer(void) { inner(); sink = 3; }
    void _start(void) { outer(); for (;;) {} }`;
  writeFileSync(at(`${name}.c`), source);
  const elf = at(`${name}.elf`);
  execFileSync(compiler, [
    ...['-g', '-O1', '-nostdlib', '-ffreestanding', ...flags],
    ...[`-Wl,-Ttext=0x${text.toString(16)}`, '-o', elf, at(`${name}.c`)],
  ]);
  const addresses = new Map(
    execFileSync(compiler.replace('gcc', 'nm'), [elf], { encoding: 'utf8' })
      .split('\n')
      .map((line) => line.split(' '))
      .map(([address = '', , symbol = '']) => [symbol, Number.parseInt(address, 16)]),
  );
  return { elf, at: (symbol: string, offset = 0) => addresses.get(symbol)! + offset };
}

const hex = (value: number) => `0x${value.toString(16).padStart(8, '0')}`;
const functionsOf = (records: readonly Record[]) =>
  records.flatMap(({ frames = [] }) => frames.map((frame) => [frame.label, frame.function.split('+')[0]]));

describe('a crash', () => {
  const arm = findTool('arm-none-eabi-gcc');
  const riscv = findTool('riscv64-unknown-elf-gcc');
  const xtensa = findTool('xtensa-lx106-elf-gcc');

  test.skipIf(!arm)(
    `of our firmware, with the functions named${arm ? '' : ' (needs arm-none-eabi-gcc)'}`,
    async () => {
      const code = linked('arm-none-eabi-gcc', 'arm', ['-mcpu=cortex-m4', '-mthumb'], 0x08000000);
      const registers = [
        code.at('inner', 2),
        code.at('outer', 7),
        0x61000000,
        0x20001000,
        1 << 25,
        0,
        0,
        0,
        1,
        2,
        3,
        4,
        5,
      ];
      const body = new Uint8Array(Uint32Array.from(registers).buffer);
      const said = Buffer.concat([Buffer.from('log\n'), encodeFrame(0xf0, 0, body), Buffer.from('more\n')]);
      const records = await recordsOf(said, '--elf', code.elf);
      expect(records.map(({ text, event }) => text ?? event)).toEqual(['log', 'crash', 'backtrace', 'more']);
      expect(records[1]!.causes).toEqual(['division by zero']);
      expect(functionsOf(records)).toEqual([
        ['PC', 'inner'],
        ['LR', 'outer'],
      ]);
      expect(records[2]!.frames![0]!.place).toMatch(/^arm\.c:\d+$/);
    },
  );

  test.skipIf(!arm)(
    `an ARM hard fault in text, of three makes${arm ? '' : ' (needs arm-none-eabi-gcc)'}`,
    async () => {
      const code = linked('arm-none-eabi-gcc', 'arm', ['-mcpu=cortex-m4', '-mthumb'], 0x08000000);
      const [pc, lr] = [hex(code.at('inner', 2)), hex(code.at('outer', 7))];
      for (const dump of [
        `[Hard fault handler]\r\n R0 = 00000000\r\n LR [R14] = ${lr}  subroutine\r\n PC [R15] = ${pc}\r\n CFSR = 00000400\r\n`,
        `E: ***** MPU FAULT *****\nE: r3/a4:  0x00000000 r12/ip:  0x00000000 r14/lr:  ${lr}\nE: Faulting instruction address (r15/pc): ${pc}\n`,
        `++ MbedOS Fault Handler ++\nFaultType: HardFault\nLR   : ${lr.slice(2)}\nPC   : ${pc.slice(2)}\n`,
      ]) {
        const records = await recordsOf(dump, '--elf', code.elf);
        expect(functionsOf(records)).toEqual(
          expect.arrayContaining([
            ['PC', 'inner'],
            ['LR', 'outer'],
          ]),
        );
      }
    },
  );

  test.skipIf(!riscv)(
    `of an ESP32-C3: MEPC and RA, and what MCAUSE means${riscv ? '' : ' (needs riscv64-unknown-elf-gcc)'}`,
    async () => {
      const code = linked('riscv64-unknown-elf-gcc', 'riscv', ['-march=rv32imc', '-mabi=ilp32'], 0x42000000);
      const dump = [
        "Guru Meditation Error: Core  0 panic'ed (Load access fault). Exception was unhandled.",
        '',
        'Core  0 register dump:',
        `MEPC    : ${hex(code.at('inner', 2))}  RA      : ${hex(code.at('outer', 4))}  SP      : 0x3fc91f60  GP      : 0x3fc8b600  `,
        'A0      : 0x42000000  A1      : 0x00000000',
        'MCAUSE  : 0x00000005  MTVAL   : 0x00000008  MHARTID : 0x00000000  ',
        '',
        'Stack memory:',
        `3fc91f60: 0x00000000 ${hex(code.at('_start', 8))} 0x00000000 0x00000000`,
      ].join('\r\n');
      const records = await recordsOf(`${dump}\r\n`, '--elf', code.elf);
      expect(functionsOf(records)).toEqual([
        ['MEPC', 'inner'],
        ['RA', 'outer'],
        ['stack', '_start'],
      ]);
      expect(records.find(({ event }) => event === 'cause')?.causes?.[0]).toMatch(
        /read from where no memory/,
      );
    },
  );

  test.skipIf(!xtensa)(
    `of an ESP32: its backtrace${xtensa ? '' : ' (needs xtensa-lx106-elf-gcc)'}`,
    async () => {
      const code = linked('xtensa-lx106-elf-gcc', 'xtensa', ['-mlongcalls'], 0x400d0000);
      const windowed = ((code.at('outer', 3) & 0x3fffffff) | 0x80000000) >>> 0;
      const frames = [code.at('inner', 2), code.at('outer', 3)]
        .map((pc) => `${hex(pc)}:0x3ffb5030`)
        .join(' ');
      const dump = [
        "Guru Meditation Error: Core  0 panic'ed (LoadProhibited). Exception was unhandled.",
        'Core  0 register dump:',
        `PC      : ${hex(code.at('inner', 2))}  PS      : 0x00060130  A0      : ${hex(windowed)}  A1      : 0x3ffb5030  `,
        '',
        `Backtrace: ${frames} |<-CORRUPTED`,
        `harmless: ${hex(code.at('inner'))}`,
      ].join('\r\n');
      const records = await recordsOf(`${dump}\r\n`, '--elf', code.elf);
      expect(functionsOf(records)).toEqual([
        ['PC', 'inner'],
        ['A0', 'outer'],
        ['#0', 'inner'],
        ['#1', 'outer'],
      ]);
    },
  );

  test('without --elf is told as it is, with one hint', async () => {
    const dump = 'Backtrace: 0x400d1d58:0x3ffb5030\nBacktrace: 0x400d1d58:0x3ffb5030\n';
    const records = await recordsOf(dump);
    expect(records.filter(({ event }) => event === 'hint')).toHaveLength(1);
  });

  test('an ESP that waits for a download is explained', async () => {
    const log =
      'ESP-ROM:esp32c3-api1-20210207\r\nrst:0x1 (POWERON),boot:0x4 (DOWNLOAD(USB/UART0/1))\r\nwaiting for download\r\n';
    const records = await recordsOf(log);
    expect(records.find(({ event }) => event === 'boot')?.lines?.[0]).toMatch(/waits for a download/);
  });

  test('an ESP without a program is explained once for each start', async () => {
    const start = 'rst:0x7 (TG0WDT_SYS_RST),boot:0x8 (SPI_FAST_FLASH_BOOT)\r\ninvalid header: 0xffffffff\r\n';
    const records = await recordsOf(`${start}invalid header: 0xffffffff\r\n${start}`);
    const said = records.filter(({ event }) => event === 'boot').map(({ lines }) => lines![0]);
    const each = [expect.stringContaining('watchdog'), expect.stringContaining('no program')];
    expect(said).toEqual([...each, ...each]);
  });

  test('a file that is no program, exit code 1', async () => {
    writeFileSync(at('not.elf'), 'text');
    const { code, stderr } = await tinyml(['monitor', 'tcp://127.0.0.1:9', '--elf', at('not.elf')]);
    expect(stderr).toContain('E_BAD_ELF');
    expect(code).toBeGreaterThan(0);
  });
});
