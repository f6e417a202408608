import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { stackTrace, tinyml } from '../support/cli.ts';

const example = join(import.meta.dirname, '..', '..', 'examples', 'motor-fault');
const model = join(example, 'model.onnx');
const data = join(example, 'data.npz');
const program = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js');

let folder = '';
const at = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tinyml-test-trouble-'));
  expect((await tinyml(['convert', model, '--calib', data, '-o', at('out')])).code).toBe(0);
  expect((await tinyml(['build', at('out')])).code).toBe(0);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('tools', () => {
  test('no compiler: named, with the way to get it, exit code 2', async () => {
    for (const args of [
      ['build', at('out')],
      ['run', model, '--input', data, '--calib', data, '--engine', 'c'],
    ]) {
      const { code, stderr } = await tinyml(args, { env: { PATH: at('nothing') } });
      expect(code).toBe(2);
      expect(stderr).toMatch(/E_TOOL_MISSING: .*(arm-none-eabi-gcc|gcc).* is not installed/);
      expect(stderr).toContain('tinyml doctor --fix');
    }
  });

  test('no emulator: named, exit code 2', async () => {
    const { code, stderr } = await tinyml(['flash', at('out')], { env: { PATH: at('nothing') } });
    expect(code).toBe(2);
    expect(stderr).toMatch(/qemu-system-arm/);
    expect(stderr).not.toMatch(stackTrace);
  });

  const fake = (name: string, script: string) => {
    const place = at(name);
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, 'arm-none-eabi-gcc'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return { PATH: place };
  };

  test.each([
    [
      'fails',
      'echo "model.c:1: error: no such thing" >&2; exit 1',
      /E_TOOL_FAILED.*exit code 1[\s\S]*no such thing/,
    ],
    ['succeeds without a result', 'exit 0', /E_TOOL_(FAILED|MISSING)/],
    ['is killed', 'kill -9 $$', /E_TOOL_FAILED.*SIGKILL/],
  ])('a compiler that %s', async (name, script, message) => {
    const { code, stderr } = await tinyml(['build', at('out')], { env: fake(name, script) });
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });
});

/** A virtual board in a process of its own, as `boards run` starts it. */
async function runBoard(): Promise<{ child: ChildProcess; port: string }> {
  const child = spawn(process.execPath, [program, 'boards', 'run', 'virtual-stm32f405', '--json'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const line = await new Promise<string>((resolve) =>
    child.stdout.once('data', (chunk) => resolve(String(chunk))),
  );
  const { board, ports } = JSON.parse(line) as { board: string; ports: string[] };
  expect(board).toBe('virtual-stm32f405');
  expect(ports[0]).toMatch(/^rfc2217:\/\//);
  return { child, port: ports[0]! };
}

/** A cable to a port that is cut for good once `bytes` have come from the board. */
function cable(port: string, bytes: number): Promise<{ server: Server; name: string }> {
  const target = Number(port.split(':').at(-1));
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    let left = bytes;
    const cut = () => {
      near.destroy();
      far.destroy();
    };
    far.on('data', (chunk) => {
      left -= chunk.length;
      if (left > 0) near.write(chunk);
      else cut();
    });
    near.on('data', (chunk) => far.write(chunk));
    for (const socket of [near, far]) {
      socket.on('error', cut);
      socket.on('close', cut);
    }
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve({ server, name: `rfc2217://127.0.0.1:${(server.address() as { port: number }).port}` });
    });
  });
}

describe('the board', () => {
  let running: { child: ChildProcess; port: string };
  beforeAll(async () => {
    running = await runBoard();
  });
  afterAll(async () => {
    const ended = new Promise((resolve) => running.child.on('close', resolve));
    running.child.kill('SIGTERM');
    expect(await ended).toBe(143);
  });
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  test('silent, then flashed, verified and measured by separate commands', async () => {
    const silent = await tinyml(['verify', at('out'), '--port', running.port]);
    expect(silent.code).toBe(2);
    expect(silent.stderr).toContain('E_BOARD_SILENT');
    expect((await tinyml(['flash', at('out'), '--port', running.port])).code).toBe(0);
    const again = await tinyml(['flash', at('out'), '--port', running.port, '--json']);
    expect(again.json()).toMatchObject({ bytesWritten: 0, sectorsErased: 0 });
    expect((await tinyml(['verify', at('out'), '--port', running.port])).stdout).toContain('bit-exact');
    expect((await tinyml(['bench', at('out'), '--port', running.port, '--runs', '2'])).code).toBe(0);
  });

  test('another model on it is told', async () => {
    const line = Array.from({ length: 384 }, (_, i) => Math.sin(i)).join(',');
    writeFileSync(at('x.csv'), `${line}\n${line}\n`);
    expect((await tinyml(['convert', model, '--calib', at('x.csv'), '-o', at('other')])).code).toBe(0);
    const { code, stderr } = await tinyml(['verify', at('other'), '--port', running.port]);
    expect(code).toBe(2);
    expect(stderr).toContain('E_WRONG_MODEL');
  });

  test('a port in use names its holder', async () => {
    const holder = spawn(process.execPath, [program, 'monitor', running.port], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await new Promise((resolve) => holder.stderr.once('data', resolve));
    const { code, stderr } = await tinyml(['bench', at('out'), '--port', running.port]);
    const ended = new Promise((resolve) => holder.on('close', resolve));
    holder.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(code).toBe(2);
    expect(stderr).toMatch(/E_PORT_BUSY/);
    expect(stderr).toContain(String(holder.pid));
  });

  test.each([
    ['flashing', 'flash', 3000],
    ['a benchmark', 'bench', 400],
  ])(
    'unplugged during %s: device lost, exit code 2, and the next run succeeds',
    async (_, command, bytes) => {
      const { server, name } = await cable(running.port, bytes);
      servers.push(server);
      const { code, stderr } = await tinyml([command, at('out'), '--port', name]);
      expect(code).toBe(2);
      expect(stderr).toMatch(/E_DEVICE_LOST|E_PORT_UNREACHABLE/);
      expect(stderr).not.toMatch(stackTrace);
      expect((await tinyml([command, at('out'), '--port', running.port])).code).toBe(0);
    },
  );
});

describe('interruptions', () => {
  /** What deploy says when it begins to convert, to measure on this machine, to compile, to flash, and to verify. */
  const moments = [/optimizing/, /^convert/m, /^measure accuracy/m, /the flash is erased/, /^flash/m];

  test.each([
    ['SIGINT', 130, moments],
    ['SIGTERM', 143, [moments[1]!]],
    ['SIGHUP', 129, [moments[2]!]],
  ] as const)('%s ends deploy at any moment, with nothing left behind', async (signal, exit, said) => {
    const own = mkdtempSync(join(folder, 'tmp-'));
    for (const moment of said) {
      const { code, stderr } = await tinyml(
        ['deploy', model, '--calib', data, '-o', join(own, 'out'), '--verbose'],
        {
          env: { TMPDIR: own },
          onStart: (child) => {
            let heard = '';
            child.stderr!.on('data', (chunk) => {
              const before = moment.test(heard);
              heard += chunk;
              if (!before && moment.test(heard)) child.kill(signal);
            });
          },
        },
      );
      expect(stderr).toMatch(moment);
      expect(code).toBe(exit);
      expect(stderr).not.toMatch(/error/);
      expect(readdirSync(own).filter((name) => name !== 'out')).toEqual([]);
    }
  });

  const strace = spawnSync('strace', ['-V']).status === 0;
  test.skipIf(!strace)(
    'killed at any write (needs strace): the old output or the new one, whole',
    { timeout: 120_000 },
    () => {
      const target = at('atomic');
      const args = [program, 'convert', model, '--calib', data, '-o', target, '--quiet'];
      spawnSync(process.execPath, args);
      const listing = () =>
        readdirSync(target).map((name) => [name, readFileSync(join(target, name)).length]);
      const whole = listing();
      for (const [call, when] of [
        ['fsync', 1],
        ['fsync', 9],
        ['rename', 1],
        ['mkdir', 2],
      ] as const) {
        const inject = `inject=${call}:signal=KILL:when=${when}`;
        spawnSync('strace', ['-f', '-qq', '-o', '/dev/null', '-e', inject, process.execPath, ...args]);
        const place = existsSync(target);
        if (place) expect(listing()).toEqual(whole);
        expect(spawnSync(process.execPath, args).status).toBe(0);
        expect(listing()).toEqual(whole);
        expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
      }
    },
  );
});
