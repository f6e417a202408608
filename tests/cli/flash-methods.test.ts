import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { loadBoard } from '../../boards/load.ts';
import { flashOnly } from '../../cli/board/flash-board.ts';
import type { Context } from '../../cli/context.ts';
import { startLifetime } from '../../cli/lifetime.ts';
import { imageOf } from '../device/simulated-stm32.ts';
import { FakeMachine } from '../support/fake-machine.ts';
import { complaintOf, type RealProgram, realPrograms } from '../support/real-programs.ts';

const image = imageOf(5_003, 1);
const folder = mkdtempSync(join(tmpdir(), 'tinyml-methods-'));
const lifetime = startLifetime();
let machine: FakeMachine;
let programs: string;
let warnings: string[];
let round = 0;

beforeEach(() => {
  machine = new FakeMachine();
  programs = join(folder, `bin-${round++}`);
  warnings = [];
  mkdirSync(programs);
  vi.stubEnv('PATH', programs);
  vi.stubEnv('TINYML_SYSTEM_ROOT', machine.root);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  machine.remove();
  for (const { name, args } of commandLines())
    if (realPrograms[name].path !== undefined) expect(complaintOf(name, args, folder)).toBe('');
  rmSync(log, { force: true });
});
afterAll(async () => {
  await lifetime.end();
  rmSync(folder, { recursive: true });
});

const context = {
  lifetime,
  output: { detail() {}, note() {}, warn: (text: string) => warnings.push(text) },
} as unknown as Context;

const flash = (method?: string, id = 'nucleo-f446re', port?: string) =>
  flashOnly(context, loadBoard(id), port, image, () => {}, { method });

const log = join(folder, 'command lines');

/** A shell script in the place of a program. Its command lines are kept, for the real program to judge. */
function program(name: RealProgram, script: string): void {
  const keep = `{ echo ${name}; for word in "$@"; do echo "$word"; done; echo; } >> '${log}'`;
  writeFileSync(join(programs, name), `#!/bin/sh\n${keep}\n${script}\n`, { mode: 0o755 });
}

interface CommandLine {
  readonly name: RealProgram;
  readonly args: readonly string[];
}

function commandLines(): CommandLine[] {
  if (!existsSync(log)) return [];
  const blocks = readFileSync(log, 'utf8').trimEnd().split('\n\n');
  return blocks.map((block) => {
    const [name, ...args] = block.split('\n');
    return { name: name as RealProgram, args };
  });
}

const serial = '066CFF303030';
const inHex = Buffer.from(serial).toString('hex');
const stLink = { vendorId: '0483', productId: '374b', serialNumber: serial };
const dfu = { vendorId: '0483', productId: 'df11', serialNumber: '317B3C723133' };

const failsWith = (job: Promise<unknown>, code: string, text = /./) =>
  expect(job).rejects.toMatchObject({ code, exit: 2, message: expect.stringMatching(text) });

/** openocd as it answers when all is well, but for what is put before. */
const openocd = (before = '') => `
${before}
case "$*" in
  *"flash probe 0"*) echo "Info : device id = 0x10006421" >&2 ;;
  *program*) [ -s firmware.bin ] || exit 9; echo "** Programming Finished **" >&2; echo "** Verified OK **" >&2 ;;
esac`;

describe('through an ST-LINK', () => {
  test('with openocd, which says that it verified', async () => {
    machine.usb(stLink);
    program('openocd', openocd());
    const report = await flash();
    expect(report).toMatchObject({ bytesWritten: image.length, bytesVerified: image.length });
    const [looked, wrote] = commandLines().map(({ args }) => args.join(' '));
    expect(looked).toContain('target/stm32f4x.cfg -c init -c reset halt -c flash probe 0');
    expect(wrote).toContain('adapter serial 066CFF303030');
    expect(wrote).toContain('program firmware.bin 0x08000000 verify reset exit');
  });

  const other = 'serial:     0670FF495254\n  chipid:     0x0410';
  const ours = (serial: string) =>
    `serial:     ${serial}\n  flash:      524288 (pagesize: 131072)\n  chipid:     0x0421`;

  test.each([
    // As versions print it: 1.7 and 1.8, with another probe beside it; and 1.6, serial numbers in hexadecimal.
    [
      '1.7',
      `Found 2 stlink programmers\n1.\n  ${other}\n2.\n  version:    V2J37S7\n  ${ours(serial)}`,
      serial,
    ],
    ['1.7 with one probe', `Found 1 stlink programmers\n  version:    V2J37S7\n  ${ours(serial)}`, serial],
    [
      '1.6',
      `Found 1 stlink programmers\n ${ours(inHex)}\n hla-serial: "\\x30"\n descr:      F446 device`,
      inHex,
    ],
  ])('with st-flash and st-info %s where openocd is not installed', async (_, said, named) => {
    machine.usb(stLink);
    program('st-info', `cat <<'END'\n${said}\nEND`.replace('cat', '/bin/cat'));
    program('st-flash', '[ -s firmware.bin ] && echo "Flash written and verified! jolly good!" >&2');
    expect(await flash()).toMatchObject({ bytesVerified: image.length });
    expect(commandLines()).toEqual([
      { name: 'st-info', args: ['--probe'] },
      {
        name: 'st-flash',
        args: ['--serial', named, '--reset', 'write', 'firmware.bin', '0x08000000'],
      },
    ]);
  });

  test.each([
    ['no probe', 'Found 0 stlink programmers', 'E_BOARD_SILENT', /no ST-LINK/],
    [
      'no chip',
      `Found 1 stlink programmers\n  serial:     ${serial}\n  chipid:     0x0000`,
      'E_BOARD_SILENT',
      /no chip/,
    ],
    [
      'another chip',
      `Found 1 stlink programmers\n  serial:     ${serial}\n  chipid:     0x0413`,
      'E_WRONG_CHIP',
      /0x413/,
    ],
  ])('st-info that finds %s', async (_, said, code, text) => {
    machine.usb(stLink);
    program('st-info', `echo '${said}'`);
    program('st-flash', 'echo "Flash written and verified"');
    await failsWith(flash(), code, text);
    expect(commandLines().map(({ name }) => name)).toEqual(['st-info']);
  });

  test.each([
    ['nucleo-h743zi', 'stm32h7x_dual_bank', '0x5c001000: 10036450', 0x450],
    ['nucleo-l073rz', 'stm32l0_dual_bank', '0x40015800: 20086447', 0x447],
  ])(
    '%s, whose driver in openocd keeps the chip’s id to itself: its register is read',
    async (id, target, said) => {
      machine.usb(stLink);
      const read = (line: string) => `case "$*" in
      *"flash probe 0"*) echo "${line}" >&2 ;;
      *program*) echo "** Verified OK **" >&2 ;;
    esac`;
      const large = () =>
        flashOnly(context, loadBoard(id), undefined, imageOf(5_003, 1), () => {}, { method: 'st-link' });
      program('openocd', read(said));
      expect(await large()).toMatchObject({ bytesVerified: image.length });
      expect(commandLines()[1]!.args).toContain(`target/${target}.cfg`);
      program('openocd', read(said.replace(/...$/, '413')));
      await failsWith(large(), 'E_WRONG_CHIP', /0x413/);
    },
  );

  test.each<[string, string, string, RegExp]>([
    [
      'ends with 0 after an error',
      'echo "Error: flash write failed"; exit 0',
      'E_TOOL_FAILED',
      /reports an error/,
    ],
    ['ends with 0 and says nothing', 'exit 0', 'E_TOOL_FAILED', /does not say that it verified/],
    ['ends with 1', 'echo "Error: something" >&2; exit 1', 'E_TOOL_FAILED', /exit code 1/],
    ['is killed', 'kill -9 $$', 'E_TOOL_FAILED', /SIGKILL/],
    ['finds no probe', 'echo "Error: open failed"; exit 1', 'E_BOARD_SILENT', /no ST-LINK/],
    [
      'finds no chip',
      'echo "Error: init mode failed (unable to connect to the target)"; exit 1',
      'E_BOARD_SILENT',
      /no chip/,
    ],
    [
      'meets a protected chip',
      'echo "Error: stm32x device protected"; exit 1',
      'E_READ_PROTECTED',
      /protected/,
    ],
    [
      'finds another chip',
      openocd('case "$*" in *probe*) echo "device id = 0x10016413";exit;; esac'),
      'E_WRONG_CHIP',
      /0x413.*0x421/,
    ],
    [
      'wrote something else',
      openocd('case "$*" in *program*) echo "Error: checksum mismatch"; exit 1;; esac'),
      'E_TOOL_FAILED',
      /exit code 1/,
    ],
  ])('a program that %s', async (_, script, code, text) => {
    machine.usb(stLink);
    program('openocd', script);
    await failsWith(flash(), code, text);
  });

  test('a program that hangs is stopped', async () => {
    machine.usb(stLink);
    program('openocd', 'while :; do :; done');
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const job = failsWith(flash(), 'E_TOOL_TIMEOUT');
    for (let i = 0; i < 20; i++) {
      await vi.advanceTimersByTimeAsync(2_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await job;
  });

  test('a program that prints a gigabyte fills no memory', async () => {
    machine.usb(stLink);
    program('openocd', '/usr/bin/head -c 1000000000 /dev/zero; exit 3');
    const before = process.memoryUsage().rss;
    await failsWith(flash(), 'E_TOOL_FAILED', /exit code 3/);
    expect(process.memoryUsage().rss - before).toBeLessThan(150e6);
  });

  test('with neither program, or two probes', async () => {
    machine.usb(stLink);
    await failsWith(flash('st-link'), 'E_TOOL_MISSING', /openocd or st-flash/);
    machine.usb({ ...stLink, serialNumber: '0670FF' });
    program('openocd', openocd());
    await expect(flash('st-link')).rejects.toMatchObject({ code: 'E_SEVERAL_BOARDS' });
    const port = machine.tty('ttyACM0', { ...stLink, serialNumber: '0671FF' });
    expect(await flash('st-link', 'nucleo-f446re', port.slice(machine.root.length))).toMatchObject({
      bytesVerified: image.length,
    });
  });

  test('an image that cannot fit or start is refused before anything runs', async () => {
    machine.usb(stLink);
    program('openocd', `echo ran > ${folder}/ran`);
    const board = loadBoard('nucleo-f446re');
    const big = flashOnly(context, board, undefined, imageOf(600_000, 1), () => {}, {});
    await failsWith(big, 'E_IMAGE_TOO_LARGE');
    await failsWith(
      flashOnly(context, board, undefined, new Uint8Array(4096), () => {}, {}),
      'E_IMAGE',
    );
    expect(existsSync(join(folder, 'ran'))).toBe(false);
  });
});

const layout = '@Internal Flash  /0x08000000/04*016Kg,01*064Kg,03*128Kg';

/** dfu-util that keeps what it is given in a file, with lines that change that. */
const dfuUtil = ({ text = layout, after = '', read = '/bin/cat "$kept" > back.bin' } = {}) => `
kept=${folder}/dfu-flash
case "$*" in
  *-l*) echo 'Found DFU: [0483:df11] ver=2200, devnum=8, cfg=1, intf=0, path="1-1", alt=0, name="${text}", serial="1"' ;;
  *-D*) /bin/cat firmware.bin > "$kept"; ${after} ;;
  *-U*) ${read} ;;
esac`;

describe('over USB with dfu-util', () => {
  const flashBlackPill = () => flash('usb-dfu', 'blackpill-f411ce');

  test('whose copy of the flash is compared', async () => {
    machine.usb(dfu);
    program('dfu-util', dfuUtil());
    expect(await flash(undefined, 'blackpill-f411ce')).toMatchObject({ bytesVerified: 5_004 });
  });

  test.each<[string, string, string]>([
    ['ends with 74', dfuUtil({ after: 'exit 74' }), 'E_TOOL_FAILED'],
    ['reads back nothing', dfuUtil({ read: ':' }), 'E_TOOL_FAILED'],
    ['reads back half', dfuUtil({ read: '/usr/bin/head -c 2000 "$kept" > back.bin' }), 'E_TOOL_FAILED'],
    [
      'reads back something else',
      dfuUtil({ after: '/usr/bin/head -c 5004 /dev/zero > "$kept"' }),
      'E_VERIFY_FAILED',
    ],
    [
      'finds a chip with other sectors',
      dfuUtil({ text: '@Internal Flash  /0x08000000/256*0002Kg' }),
      'E_WRONG_CHIP',
    ],
    ['finds nothing', 'exit 0', 'E_NO_BOARD'],
  ])('that %s', async (_, script, code) => {
    program('dfu-util', script);
    await failsWith(flashBlackPill(), code);
  });

  test('which is not installed, and neither is the package usb', () =>
    failsWith(flashBlackPill(), 'E_TOOL_MISSING', /package usb or the program dfu-util/));
});

describe('onto the drive of an ST-LINK', () => {
  let drive: string;
  let timer: NodeJS.Timeout | undefined;

  function mount(name: string): string {
    const path = join(folder, `media ${round}`, name);
    mkdirSync(path, { recursive: true });
    machine.file(
      'proc/mounts',
      `proc /proc proc rw 0 0\n/dev/sdb ${path.replaceAll(' ', '\\040')} vfat rw,nosuid 0 0\n`,
    );
    return path;
  }

  /** The probe takes the file as soon as it is all there. */
  function probe(then: () => void = () => {}): void {
    timer = setInterval(() => {
      const path = join(drive, 'firmware.bin');
      if (!existsSync(path)) return;
      unlinkSync(path);
      then();
      clearInterval(timer);
    }, 20);
  }

  beforeEach(() => {
    drive = mount('NOD_F446RE');
  });
  afterEach(() => clearInterval(timer));

  test('which cannot be read back, and says so', async () => {
    probe();
    expect(await flash()).toMatchObject({ bytesWritten: image.length, bytesVerified: 0 });
    expect(warnings.join()).toMatch(/tinyml verify/);
  });

  test('a second drive of the name has a digit behind it', async () => {
    drive = mount('NODE_F446RE1');
    probe();
    expect(await flash()).toMatchObject({ bytesWritten: image.length });
  });

  test('that leaves a note of what failed', async () => {
    probe(() => writeFileSync(join(drive, 'FAIL.TXT'), 'SWD ERROR, when flashing.\r\n'));
    await failsWith(flash(), 'E_FLASH_REFUSED');
  });

  test('that takes nothing', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const job = failsWith(flash(), 'E_DRIVE', /did not take the file/);
    await vi.advanceTimersByTimeAsync(61_000);
    await job;
  });

  test('that cannot be written', async () => {
    mkdirSync(join(drive, 'firmware.bin'));
    await failsWith(flash(), 'E_DRIVE', /EISDIR/);
  });

  test('of another board, which is left alone', async () => {
    mount('NOD_F401RE');
    await failsWith(flash('mass-storage'), 'E_NO_BOARD', /no drive/);
  });
});

describe('which way is taken', () => {
  test('nothing is here: each way says why', async () => {
    await expect(flash()).rejects.toMatchObject({
      code: 'E_NO_BOARD',
      exit: 2,
      measure: [
        'mass-storage: no drive named NOD_F446RE or NODE_F446RE is mounted',
        'st-link: neither openocd nor st-flash is installed',
        expect.stringContaining('the serial port: '),
      ],
    });
  });

  test('a way that the board has not is refused with those that it has', async () => {
    await expect(flash('usb-dfu')).rejects.toMatchObject({
      code: 'E_WRONG_CHOICE',
      measure: ['choices: mass-storage, st-link, stm32-uart'],
    });
  });

  test('a port that is named goes before what the board’s file lists behind it', async () => {
    // A foreign probe is on the desk; the Blue Pill hangs on the port.
    machine.usb(stLink);
    program('openocd', openocd());
    await expect(flash(undefined, 'bluepill-f103c8', 'tcp://127.0.0.1:1')).rejects.toMatchObject({
      code: 'E_PORT_UNREACHABLE',
    });
  });
});
