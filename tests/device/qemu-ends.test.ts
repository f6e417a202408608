import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { findLeash } from '../../cli/tools/find-leash.ts';
import { type QemuOptions, QemuProcess, qemuCommand } from '../../device/virtual/qemu-process.ts';
import { qemu } from './oracles.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinyml-ends-'));
const flashFile = join(folder, 'endless.bin');
/** Vectors, and a branch to itself. */
const endless = Buffer.alloc(0x100);
endless.writeUInt32LE(0x20001000, 0);
endless.writeUInt32LE(0x08000041, 4);
endless.writeUInt16LE(0xe7fe, 0x40);
writeFileSync(flashFile, endless);
afterAll(() => rmSync(folder, { recursive: true }));

const running: QemuProcess[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
});

interface Listed {
  readonly pid: number;
  readonly args: string;
}

/** Processes that have the image's name in their command line; those that only wait to be reaped have none. */
function present(): Listed[] {
  const lines = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n');
  return lines
    .filter((line) => line.includes(flashFile))
    .map((line) => ({ pid: Number.parseInt(line, 10), args: line.trim().replace(/^\d+ +/, '') }));
}

/** QEMU itself, rather than what stands between. */
const emulators = () => present().filter(({ args }) => args.startsWith(qemu!));

const image = (setpriv: string | undefined) => ({
  binary: qemu!,
  machine: 'netduinoplus2',
  flashFile,
  flashAddress: 0x08000000,
  setpriv,
});

function start(setpriv: string | undefined, more: Partial<QemuOptions> = {}) {
  const words: string[] = [];
  const options = { ...image(setpriv), onOutput() {}, onExit: (text: string) => words.push(text), ...more };
  running.push(new QemuProcess(options));
  return words;
}

const gone = () => expect.poll(present, { timeout: 20_000 }).toEqual([]);
const here = () => expect.poll(() => emulators().length, { timeout: 20_000 }).toBe(1);

const leash = findLeash();
const ways = [
  ['a guard', undefined],
  ['the kernel', leash],
] as const;

for (const [name, setpriv] of ways) {
  const can = qemu !== undefined && (name === 'a guard' || leash !== undefined);
  describe.skipIf(!can)(`QEMU in the care of ${name}${can ? '' : ' (not here: skipped)'}`, () => {
    test('is gone when it is stopped', { timeout: 60_000 }, async () => {
      start(setpriv);
      await here();
      await running.splice(0)[0]!.stop();
      await gone();
    });

    test('that is killed is missed, with what killed it', { timeout: 60_000 }, async () => {
      const words = start(setpriv);
      await here();
      process.kill(emulators()[0]!.pid, 'SIGKILL');
      await expect.poll(() => words, { timeout: 20_000 }).toEqual([expect.stringContaining('qemu ended')]);
      await gone();
    });

    test('goes with whatever stands between, when that is killed', { timeout: 60_000 }, async () => {
      start(setpriv);
      await here();
      for (const { pid } of present().filter(({ args }) => !args.startsWith(qemu!)))
        process.kill(pid, 'SIGKILL');
      if (setpriv !== undefined) {
        expect(present()).toHaveLength(1);
        await running.splice(0)[0]!.stop();
      }
      await gone();
    });

    test('goes with its owner, when that is killed', { timeout: 60_000 }, async () => {
      const { program, args } = qemuCommand(image(setpriv));
      const script = `
        const { spawn } = require('node:child_process');
        spawn(process.argv[1], process.argv.slice(2), { stdio: ['pipe', 'pipe', 'pipe', 'pipe'] });
        setInterval(() => {}, 1000);`;
      const owner = spawn(process.execPath, ['-e', script, program, ...args], { stdio: 'ignore' });
      await here();
      owner.kill('SIGKILL');
      await gone();
    });

    test('that cannot start says why in its own words', { timeout: 60_000 }, async () => {
      const words = start(setpriv, { machine: 'no-such-machine' });
      await expect
        .poll(() => words, { timeout: 20_000 })
        .toEqual([expect.stringMatching(/qemu-system-arm: .*(unsupported machine|no-such-machine)/i)]);
    });
  });
}

test.skipIf(!qemu || !leash)(
  'QEMU on the leash of the kernel goes when all processes of ours are killed at once (skipped without)',
  { timeout: 60_000 },
  async () => {
    const { program, args } = qemuCommand(image(leash));
    const script = `
      const { spawn } = require('node:child_process');
      spawn(process.argv[1], process.argv.slice(2), { stdio: ['pipe', 'pipe', 'pipe', 'pipe'] });
      setInterval(() => {}, 1000);`;
    const owner = spawn(process.execPath, ['-e', script, program, ...args], { stdio: 'ignore' });
    await here();
    for (const { pid } of present().filter(({ args: line }) => !line.startsWith(qemu!)))
      process.kill(pid, 'SIGKILL');
    expect(owner.pid).toBeDefined();
    await gone();
  },
);
