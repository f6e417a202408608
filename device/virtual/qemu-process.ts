import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Duplex, Readable, Writable } from 'node:stream';
import { qemuMissing } from '../errors.ts';

/**
 * A process between us and QEMU, which has no way of its own to end with its parent. The pipe on descriptor 3 closes
 * when we die, however we die, and then QEMU is killed. Plain JavaScript, because it runs outside any build.
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
child.on('error', () => process.exit(127));
child.on('exit', (code) => process.exit(code ?? 1));
`;

const STDERR_LIMIT = 4_096;

/** Full path of a program, from its path or by name from PATH; undefined when it is not there. */
export function findProgram(
  name: string,
  searchPath: string = process.env['PATH'] ?? '',
): string | undefined {
  const candidates = /[\\/]/.test(name)
    ? [name]
    : searchPath
        .split(delimiter)
        .filter((folder) => folder !== '')
        .map((folder) => join(folder, name));
  return candidates.find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return statSync(file).isFile();
    } catch {
      return false;
    }
  });
}

export interface QemuImage {
  readonly binary: string;
  readonly machine: string;
  /** Options that this machine needs beside its name. */
  readonly extra?: readonly string[];
  readonly flashFile: string;
  readonly flashAddress: number;
}

export interface QemuOptions extends QemuImage {
  onOutput(bytes: Uint8Array): void;
  /** Lines of QEMU's log of translated and executed code (`-d in_asm,exec,nochain`); it runs many times slower with it. */
  readonly onTrace?: ((line: string) => void) | undefined;
  /** QEMU ended by itself, as it does when the guest locks up; `message` is its last word. */
  onExit(message: string): void;
}

/** The guard with QEMU in its care: UART on standard input and output, the owner's life line on descriptor 3. */
export function qemuCommand(image: QemuImage): { program: string; args: string[] } {
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
  const args = [...machine, ...time, '-device', load, ...uart];
  return { program: process.execPath, args: ['-e', GUARD, image.binary, ...args] };
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
  private stopped = false;

  constructor(options: QemuOptions) {
    const { program, args } = qemuCommand(options);
    if (options.onTrace) args.push('-d', 'in_asm,exec,nochain');
    this.child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe', 'pipe'], windowsHide: true });
    const [input, output, errors, owner] = this.child.stdio as unknown as [
      Writable,
      Readable,
      Readable,
      Duplex,
    ];
    this.input = input;
    for (const stream of [input, output, errors, owner]) stream.on('error', () => {});
    output.on('data', (bytes: Uint8Array) => {
      if (!this.stopped) options.onOutput(bytes);
    });
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
      this.child.kill('SIGTERM');
    });
  }

  private watch(errors: Readable, options: QemuOptions): void {
    let text = '';
    const onLine = options.onTrace;
    if (onLine) readLines(errors, onLine);
    else {
      errors.on('data', (bytes: Uint8Array) => {
        text = (text + Buffer.from(bytes).toString('latin1')).slice(-STDERR_LIMIT);
      });
    }
    const ended = (fallback: string) => {
      if (this.stopped) return;
      this.stopped = true;
      options.onExit(
        text
          .trim()
          .split('\n')
          .find((line) => line !== '') ?? fallback,
      );
    };
    this.child.once('error', (error) => ended(error.message));
    this.child.once('close', (code) => ended(`qemu ended with code ${code}`));
  }
}

/** The program's path, or E_QEMU_MISSING. */
export function requireQemu(name: string): string {
  const path = findProgram(name);
  if (path === undefined) throw qemuMissing(name);
  return path;
}
