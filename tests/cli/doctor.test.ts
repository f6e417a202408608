import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findTool } from '../../cli/tools/find-tool.ts';
import { stackTrace, tinyml } from '../support/cli.ts';
import { FakeMachine } from '../support/fake-machine.ts';

interface Report {
  readonly ok: boolean;
  readonly checks: readonly { name: string; ok: boolean; needed: boolean; found: string; fix: string }[];
}

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinyml-test-doctor-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A PATH in which only the given programs are, real ones by name or scripts by text. */
function pathOf(name: string, programs: Readonly<Record<string, string>>): string {
  const place = join(folder, name);
  mkdirSync(place, { recursive: true });
  for (const [program, script] of Object.entries(programs)) {
    if (script === '') {
      symlinkSync(findTool(program)!, join(place, program));
      continue;
    }
    writeFileSync(join(place, program), `#!/bin/sh\n${script}\n`);
    chmodSync(join(place, program), 0o755);
  }
  return place;
}

const checkOf = (report: Report, name: string) => report.checks.find((check) => check.name === name)!;

describe('doctor', () => {
  test('an empty PATH: each missing tool with what mends it, exit code 3', async () => {
    const { code, json } = await tinyml(['doctor', '--json'], { env: { PATH: pathOf('empty', {}) } });
    const report = json<Report>();
    expect(code).toBe(3);
    expect(report.ok).toBe(false);
    for (const name of ['ARM compiler', 'QEMU for ARM', 'C compiler of this machine']) {
      expect(checkOf(report, name)).toMatchObject({ ok: false, needed: true });
      expect(checkOf(report, name).fix).not.toBe('');
    }
    expect(checkOf(report, 'Node.js').ok).toBe(true);
  });

  test('a compiler without its headers is incomplete', async () => {
    const script = 'case "$1" in --version) echo fake 1.0;; *) exit 1;; esac';
    const env = { PATH: pathOf('headless', { 'arm-none-eabi-gcc': script }) };
    const report = (await tinyml(['doctor', '--json'], { env })).json<Report>();
    expect(checkOf(report, 'ARM compiler').found).toContain('incomplete');
  });

  test('--fix calls apt-get with the packages, without a question', async () => {
    const log = join(folder, 'apt.log');
    const apt = `echo "$DEBIAN_FRONTEND $*" >> ${log}`;
    const programs = { 'apt-get': apt, sudo: 'shift; exec "$@"', env: '', true: '', sh: '' };
    const { code } = await tinyml(['doctor', '--fix', '--json'], { env: { PATH: pathOf('apt', programs) } });
    expect(code).toBe(3);
    const calls = readFileSync(log, 'utf8');
    expect(calls).toContain('noninteractive apt-get update'.replace('apt-get ', ''));
    expect(calls).toMatch(
      /noninteractive install -y --no-install-recommends gcc-arm-none-eabi .*qemu-system-arm/,
    );
  });

  test('a failing apt-get is named with its last words, exit code 2', async () => {
    const programs = {
      'apt-get': 'echo "E: no network" >&2; exit 100',
      sudo: 'shift; exec "$@"',
      env: '',
      true: '',
    };
    const { code, stderr } = await tinyml(['doctor', '--fix'], { env: { PATH: pathOf('broken', programs) } });
    expect(code).toBe(2);
    expect(stderr).toMatch(/E_TOOL_FAILED[\s\S]*E: no network/);
  });

  test('a relative entry of PATH is never searched', async () => {
    pathOf('trap', { cc: `touch ${join(folder, 'pwned')}` });
    const options = { cwd: join(folder, 'trap'), env: { PATH: `.:${dirname('bin/x')}` } };
    const report = (await tinyml(['doctor', '--json'], options)).json<Report>();
    expect(checkOf(report, 'C compiler of this machine').ok).toBe(false);
    expect(existsSync(join(folder, 'pwned'))).toBe(false);
  });
});

describe('what a board needs', () => {
  test.each([
    ['virtual-stm32f405', ['ARM compiler', 'QEMU for ARM'], ['RISC-V compiler', 'QEMU for RISC-V']],
    ['virtual-rv32imc', ['RISC-V compiler', 'QEMU for RISC-V'], ['ARM compiler', 'QEMU for ARM']],
    ['esp32-c6-devkitc-1', ['ESP-IDF'], ['ARM compiler', 'Xtensa compiler']],
    ['nucleo-f446re', ['ARM compiler'], ['QEMU for ARM', 'RISC-V compiler', 'ST-Link program']],
  ])('%s', async (board, needed, optional) => {
    const env = { PATH: pathOf('empty', {}) };
    const { code, json } = await tinyml(['doctor', '--board', board, '--json'], { env });
    const report = json<Report>();
    for (const name of needed) expect(checkOf(report, name)).toMatchObject({ needed: true, ok: false });
    for (const name of optional) expect(checkOf(report, name)).toMatchObject({ needed: false, ok: false });
    expect(code).toBe(3);
  });
});

describe('between the user and a port', () => {
  let machine: FakeMachine;
  beforeEach(() => {
    machine = new FakeMachine();
  });
  afterEach(() => machine.remove());

  const ch340 = { vendorId: '1a86', productId: '7523' };
  const stLink = { vendorId: '0483', productId: '374b', serialNumber: '066B' };

  /** Without programs, whose checks are others' and take their time. */
  const bare = () => ({ ...machine.env, PATH: pathOf('empty', {}) });

  async function check(name: string, ...options: string[]) {
    const { json } = await tinyml(['doctor', '--json', ...options], { env: bare() });
    return checkOf(json<Report>(), name);
  }

  test('a bare machine has nothing to mend', async () => {
    const names = [
      'serial ports',
      'ports in use',
      'drivers',
      'ModemManager',
      'brltty',
      'udev rules',
      'board on USB',
    ];
    const { json } = await tinyml(['doctor', '--json'], { env: bare() });
    for (const name of names) expect(checkOf(json<Report>(), name)).toMatchObject({ ok: true, fix: '' });
  });

  test('a board that does not show itself: another cable', async () => {
    const found = await check('board on USB', '--board', 'nucleo-f446re');
    expect(found).toMatchObject({ ok: false, found: expect.stringContaining('no USB device at all') });
    expect(found.fix).toMatch(/cable.*charge/);
  });

  test('a board that does', async () => {
    machine.tty('ttyACM0', stLink);
    expect(await check('board on USB', '--board', 'nucleo-f446re')).toMatchObject({
      ok: true,
      found: '0483:374b at 1-1',
    });
  });

  test('an adapter without a port: its driver, from the kernel or from a package', async () => {
    machine.usb(ch340);
    machine.file('proc/sys/kernel/osrelease', '6.8.0-40-generic\n');
    const { found, fix } = await check('drivers');
    expect(found).toContain('CH340 (1a86:7523)');
    expect(fix).toBe('sudo apt-get install -y linux-modules-extra-6.8.0-40-generic');
    machine.file('lib/modules/6.8.0-40-generic/modules.dep', 'kernel/drivers/usb/serial/ch341.ko: x\n');
    expect((await check('drivers')).fix).toBe('sudo modprobe ch341');
  });

  test('an adapter with its port needs none', async () => {
    machine.tty('ttyUSB0', ch340);
    expect(await check('drivers')).toMatchObject({ ok: true });
  });

  test('brltty that takes adapters away, and one whose rule is switched off', async () => {
    const rule = 'ENV{PRODUCT}=="1a86/7523/*", ENV{BRLTTY_BRAILLE_DRIVER}="bm"\n';
    machine.file('usr/lib/udev/rules.d/85-brltty.rules', `# off\n# ${rule}`);
    expect(await check('brltty')).toMatchObject({ ok: true });
    machine.file('usr/lib/udev/rules.d/85-brltty.rules', rule);
    expect(await check('brltty')).toMatchObject({ ok: false, fix: 'sudo apt-get remove -y brltty' });
  });

  test('ModemManager, and a program that holds a port', async () => {
    machine.tty('ttyUSB0', ch340);
    machine.process(77, 'ModemManager');
    machine.process(78, 'picocom', ['/dev/ttyUSB0']);
    expect((await check('ModemManager')).fix).toBe('sudo systemctl disable --now ModemManager');
    expect(await check('ports in use')).toMatchObject({
      found: '/dev/ttyUSB0 by picocom (78)',
      fix: expect.stringMatching(/kill 78$/),
    });
  });

  const root = process.getuid?.() === 0;
  test.skipIf(!root)(
    `--fix installs udev rules for a board on USB${root ? '' : ' (needs root)'}`,
    async () => {
      mkdirSync(join(machine.root, 'etc/udev/rules.d'), { recursive: true });
      expect(await check('udev rules')).toMatchObject({
        ok: false,
        fix: expect.stringContaining('sudo tee /etc/udev/rules.d/60-tinyml.rules'),
      });
      const log = join(folder, 'udevadm.log');
      const env = { ...machine.env, PATH: pathOf('udev', { udevadm: `echo "$*" >> ${log}`, sh: '' }) };
      const { json } = await tinyml(['doctor', '--fix', '--board', 'nucleo-f446re', '--json'], { env });
      expect(checkOf(json<Report>(), 'udev rules')).toMatchObject({ ok: true });
      const rules = readFileSync(join(machine.root, 'etc/udev/rules.d/60-tinyml.rules'), 'utf8');
      expect((await tinyml(['doctor', '--udev-rules'])).stdout).toBe(rules);
      expect(rules).toContain(
        'ATTRS{idVendor}=="0483", ATTRS{idProduct}=="374b", MODE="0660", TAG+="uaccess"',
      );
      expect(readFileSync(log, 'utf8')).toBe('control --reload\ntrigger\n');
    },
  );

  test.each([
    [
      'flash',
      'rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\nload:0x3fff0030\r\n',
      true,
      /boot:0x13 \(SPI_FAST_FLASH_BOOT\)/,
    ],
    [
      'download',
      'rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))\r\nwaiting for download\r\n',
      false,
      /boot pin/,
    ],
    [
      'empty flash',
      'rst:0x10 (RTCWDT_RTC_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\ninvalid header: 0xffffffff\r\n',
      false,
      /no program/,
    ],
    [
      'brown-out',
      'rst:0xc (SW_CPU_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\nBrownout detector was triggered\r\n',
      false,
      /supply/,
    ],
    [
      'an older failure before a good start',
      'boot:0x3 (DOWNLOAD_BOOT)\r\nwaiting for download\r\nrst:0x1 (POWERON),boot:0x8 (SPI_FAST_FLASH_BOOT)\r\n',
      true,
      /boot:0x8/,
    ],
    ['another chip', 'hello\r\n', true, /no boot log/],
  ])('a boot log: %s', async (_, log, ok, words) => {
    const file = join(folder, 'boot.log');
    writeFileSync(file, log);
    const { json } = await tinyml(['doctor', '--boot-log', file, '--json'], { env: bare() });
    const found = checkOf(json<Report>(), 'boot');
    expect(found).toMatchObject({ ok, needed: !ok, found: expect.stringMatching(words) });
  });

  test('a port that cannot be opened is one more thing to mend', async () => {
    const { code, stdout, stderr } = await tinyml(['doctor', '--port', '/dev/ttyNOPE7'], {
      env: machine.env,
    });
    expect(code).toBe(3);
    expect(stdout).toMatch(/ttyNOPE7 +MISSING +port \/dev\/ttyNOPE7 does not exist/);
    expect(stderr).not.toMatch(stackTrace);
  });
});
