import { spawn } from 'node:child_process';
import { chownSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { tinyml } from '../support/cli.ts';
import { FakeMachine } from '../support/fake-machine.ts';

interface Port {
  readonly path: string;
  readonly boards: readonly string[];
  readonly holders: readonly { pid: number; program: string }[];
  readonly access: { allowed: boolean; group?: string };
}

const stLink = { vendorId: '0483', productId: '374b', serialNumber: '066BFF1', product: 'STM32 STLink' };
let machine: FakeMachine;
beforeEach(() => {
  machine = new FakeMachine();
});
afterEach(() => machine.remove());

const portsOf = async () =>
  (await tinyml(['ports', '--json'], { env: machine.env })).json<{
    ports: Port[];
    devices: { usb: string; boards: string[] }[];
  }>();

describe('ports', () => {
  test('a machine without any says so, and where to look', async () => {
    const { code, stdout } = await tinyml(['ports'], { env: machine.env });
    expect(code).toBe(0);
    expect(stdout).toMatch(/no serial ports.*tinyml doctor/);
  });

  test('each port with its USB ids and every board that it may be', async () => {
    machine.tty('ttyACM0', stLink);
    machine.tty('ttyACM10', { vendorId: '1234', productId: '5678' });
    machine.tty('ttyACM2', { vendorId: '1234', productId: '5678' });
    const { ports } = await portsOf();
    expect(ports.map(({ path }) => path)).toEqual(['/dev/ttyACM0', '/dev/ttyACM2', '/dev/ttyACM10']);
    expect(ports[0]).toMatchObject({ vendorId: '0483', productId: '374b', serialNumber: '066BFF1' });
    expect(ports[0]!.boards).toEqual(expect.arrayContaining(['nucleo-f401re', 'nucleo-f446re']));
    expect(ports[1]!.boards).toEqual([]);
    const { stdout } = await tinyml(['ports'], { env: machine.env });
    expect(stdout).toMatch(/ttyACM0 +0483:374b +066BFF1 +STM32 STLink +.*nucleo-f446re.* +free/);
  });

  test('a Nucleo among those with the same USB ids, by the name of its drive', async () => {
    machine.tty('ttyACM0', stLink);
    machine.tty('ttyACM1', { ...stLink, serialNumber: '066BFF2' });
    machine.tty('ttyACM2', { ...stLink, serialNumber: '066BFF3' });
    machine.drive(1, 'sdb', '/media/me/my drives/NOD_F446RE');
    machine.drive(2, 'sdc', '/media/me/NODE_F401RE1');
    machine.drive(3, 'sdd', '/media/me/SOMETHING');
    const { ports } = await portsOf();
    expect(ports[0]!.boards).toEqual(['nucleo-f446re']);
    expect(ports[1]!.boards).toEqual(['nucleo-f401re']);
    expect(ports[2]!.boards.length).toBeGreaterThan(10);
  });

  test('who has a port open, by process and program', async () => {
    machine.tty('ttyACM0', stLink);
    machine.process(4711, 'minicom', ['/dev/null', '/dev/ttyACM0']);
    machine.process(4712, 'bash', ['/dev/ttyACM1']);
    expect((await portsOf()).ports[0]!.holders).toEqual([{ pid: 4711, program: 'minicom' }]);
    expect((await tinyml(['ports'], { env: machine.env })).stdout).toContain('held by minicom (4711)');
  });

  test('a serial port that a PC only reserves a name for is left out', async () => {
    machine.file('sys/devices/platform/serial8250/tty/ttyS1/type', '0\n');
    machine.tty('ttyS0', stLink);
    const { ports } = await portsOf();
    expect(ports.map(({ path }) => path)).toEqual(['/dev/ttyS0']);
  });

  test('a board whose boot loader is on USB without a serial port', async () => {
    machine.usb({ vendorId: '0483', productId: 'df11', serialNumber: '3' });
    const { ports, devices } = await portsOf();
    expect(ports).toEqual([]);
    expect(devices).toMatchObject([
      { usb: '0483:df11', boards: expect.arrayContaining(['blackpill-f411ce']) },
    ]);
  });

  test('what a device calls itself cannot write to the terminal', async () => {
    machine.tty('ttyACM0', { ...stLink, product: 'evil\u001b[2Jname' });
    expect((await tinyml(['ports'], { env: machine.env })).stdout).toContain('evil\\u001b[2Jname');
  });

  const root = process.getuid?.() === 0;
  test.skipIf(!root)(
    `a port of another group: which, and how to join it${root ? '' : ' (needs root)'}`,
    async () => {
      chownSync(machine.tty('ttyUSB0', stLink), 0, 20);
      const program = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js');
      // mkdtemp makes folders that only their owner may enter.
      const { chmodSync } = await import('node:fs');
      chmodSync(machine.root, 0o755);
      const child = spawn(process.execPath, [program, 'ports'], {
        env: { ...process.env, ...machine.env },
        uid: 65_534,
        gid: 65_534,
      });
      let text = '';
      child.stdout.on('data', (chunk) => {
        text += chunk;
      });
      await new Promise((resolve) => child.once('close', resolve));
      expect(text).toMatch(/no permission: group dialout/);
      expect(text).toContain('sudo usermod -aG dialout "$USER"');
    },
  );
});
