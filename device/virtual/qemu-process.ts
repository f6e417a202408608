import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { basename, isAbsolute } from 'node:path';
import type { Duplex, Readable, Writable } from 'node:stream';
import { isRunning, markOf, type ProcessMark } from '../../common/process-mark.ts';
import { qemuMissing } from '../errors.ts';

/**
 * A process between us and QEMU, for systems where nothing else ends QEMU with us. The pipe on descriptor 3 closes when
 * we die, however we die, and then QEMU is killed. The number of QEMU's process is told through it, so that we can kill
 * QEMU when the guard dies. Plain JavaScript, because it runs outside any build.
 */
const GUARD = `
const { spawn } = require('node:child_process');
const { Socket } = require('node:net');
const [binary, ...args] = process.argv.slice(1);
const child = spawn(binary, args, { stdio: ['inherit', 'inherit', 'inherit'] });
const stop = () => child.kill('SIGKILL');
const owner = new Socket({ fd: 3 });
owner.on('error', stop).on('close', stop).resume();
for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(name, stop);
child.on('error', (error) => { process.stderr.write(error.message + '\\n', () => process.exit(127)); });
child.on('spawn', () => owner.write(child.pid + '\\n'));
child.on('exit', (code) => process.exit(code ?? 1));
`;

const STDERR_LIMIT = 4_096;

export interface QemuImage {
  readonly binary: string;
  readonly machine: string;
  /** Options that this machine needs beside its name. */
  readonly extra?: readonly string[];
  readonly flashFile: string;
  readonly flashAddress: number;
  /**
   * Path of setpriv (util-linux), which asks the kernel of Linux to end QEMU with this process. A guard process sees to
   * that where there is none.
   */
  readonly setpriv?: string | undefined;
}

export interface QemuOptions extends QemuImage {
  onOutput(bytes: Uint8Array): void;
  /** Lines of QEMU's log of translated and executed code (`-d in_asm,exec,nochain`); it runs many times slower with it. */
  readonly onTrace?: ((line: string) => void) | undefined;
  /** QEMU ended by itself, as it does when the guest locks up; `message` is its last word. */
  onExit(message: string): void;
}

function qemuArguments(image: QemuImage): string[] {
  // QEMU reads a doubled comma as one.
  const file = image.flashFile.replaceAll(',', ',,');
  const load = `loader,file=${file},addr=0x${image.flashAddress.toString(16)},force-raw=on`;
  const machine = [
    ...['-M', image.machine, ...(image.extra ?? [])],
    ...['-nodefaults', '-display', 'none', '-monitor', 'none'],
  ];
  // One nanosecond of guest time per instruction: time and profile are the same on every run.
  const time = ['-icount', 'shift=0'];
  const uart = ['-chardev', 'stdio,id=uart,signal=off', '-serial', 'chardev:uart'];
  return [...machine, ...time, '-device', load, ...uart];
}

/** QEMU on a leash: UART on standard input and output, the life line of its guard, if it has one, on descriptor 3. */
export function qemuCommand(image: QemuImage): { program: string; args: string[] } {
  const run = [image.binary, ...qemuArguments(image)];
  return image.setpriv === undefined
    ? { program: process.execPath, args: ['-e', GUARD, ...run] }
    : { program: image.setpriv, args: ['--pdeathsig', 'KILL', ...run] };
}

function readLines(stream: Readable, onLine: (line: string) => void): void {
  let rest = '';
  stream.on('data', (bytes: Uint8Array) => {
    const lines = (rest + Buffer.from(bytes).toString('latin1')).split('\n');
    rest = lines.pop()!.slice(-STDERR_LIMIT);
    for (const line of lines) onLine(line);
  });
}

/** One run of a flash image in QEMU, with its first UART on our pipes. */
export class QemuProcess {
  private readonly child: ChildProcess;
  private readonly input: Writable;
  /** QEMU, where a guard stands between. */
  private guarded: ProcessMark | undefined;
  private readonly endSignal: NodeJS.Signals;
  private stopped = false;

  constructor(options: QemuOptions) {
    const { program, args } = qemuCommand(options);
    if (options.onTrace) args.push('-d', 'in_asm,exec,nochain');
    const isGuarded = options.setpriv === undefined;
    // A guard that is killed cannot end QEMU.
    this.endSignal = isGuarded ? 'SIGTERM' : 'SIGKILL';
    this.child = spawn(program, args, {
      stdio: ['pipe', 'pipe', 'pipe', isGuarded ? 'pipe' : 'ignore'],
      windowsHide: true,
    });
    const [input, output, errors] = this.child.stdio as unknown as [Writable, Readable, Readable];
    this.input = input;
    for (const stream of [input, output, errors]) stream.on('error', () => {});
    output.on('data', (bytes: Uint8Array) => {
      if (!this.stopped) options.onOutput(bytes);
    });
    this.listenToGuard(this.child.stdio[3] as Duplex | null);
    this.watch(errors, options);
  }

  /** False when the guest is slow to take it: then `onDrain` says when to go on. */
  write(bytes: Uint8Array): boolean {
    if (this.stopped || !this.input.writable) return true;
    return this.input.write(bytes);
  }

  onDrain(call: () => void): void {
    this.input.once('drain', call);
  }

  /** Resolves when QEMU is gone. */
  stop(): Promise<void> {
    this.stopped = true;
    return new Promise((resolve) => {
      if (this.child.exitCode !== null || this.child.signalCode !== null || this.child.pid === undefined) {
        resolve();
        return;
      }
      this.child.once('exit', () => resolve());
      this.child.stdio[3]?.destroy();
      this.child.kill(this.endSignal);
    });
  }

  private listenToGuard(line: Duplex | null): void {
    if (!line) return;
    line.on('error', () => {});
    line.on('data', (text: Uint8Array) => {
      this.guarded = markOf(Number(Buffer.from(text).toString('latin1').trim()));
    });
    this.child.once('exit', () => this.endGuarded());
  }

  /** A guard that was killed leaves QEMU behind. */
  private endGuarded(): void {
    if (!this.guarded || !isRunning(this.guarded)) return;
    try {
      process.kill(this.guarded.pid, 'SIGKILL');
    } catch {
      // It ended by itself meanwhile.
    }
  }

  private watch(errors: Readable, options: QemuOptions): void {
    let text = '';
    if (options.onTrace) readLines(errors, options.onTrace);
    errors.on('data', (bytes: Uint8Array) => {
      text = (text + Buffer.from(bytes).toString('latin1')).slice(-STDERR_LIMIT);
    });
    const ended = (fallback: string) => {
      if (this.stopped) return;
      this.stopped = true;
      options.onExit(lastWords(text) ?? fallback);
    };
    this.child.once('error', (error) => ended(error.message));
    this.child.once('close', (code, signal) =>
      ended(`qemu ended ${signal ? `by ${signal}` : `with code ${code}`}`),
    );
  }
}

/** What QEMU says of itself, rather than the registers that it prints after that, or its log; else the first line. */
function lastWords(text: string): string | undefined {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.find((line) => /^qemu/.test(line)) ?? lines.find((line) => line !== '');
}

/** A path that can be run, or E_QEMU_MISSING: names are looked up by whoever starts a board. */
export function requireQemu(path: string): string {
  if (!isAbsolute(path) || !isProgram(path)) throw qemuMissing(basename(path));
  return path;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
