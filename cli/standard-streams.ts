import { fstatSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { TinymlError } from '../common/tinyml-error.ts';
import { streamFailed } from './errors.ts';
import { terminalText } from './report/style.ts';

export type StreamName = 'stdout' | 'stderr';

const fdOf = { stdout: 1, stderr: 2 } as const;
const retryMs = 5;

/** What became of a stream that could not be written: its reader went away, or something that must be told. */
const failures = new Map<StreamName, 'reader gone' | TinymlError>();

function note(name: StreamName, error: NodeJS.ErrnoException): void {
  if (failures.has(name)) return;
  failures.set(name, error.code === 'EPIPE' ? 'reader gone' : streamFailed(name, error));
}

/** Whether somebody stopped reading, as in `tinyml ops | head`: no failure of the command. */
export function readerIsGone(name: StreamName): boolean {
  return failures.get(name) === 'reader gone';
}

/** Why something that was printed did not arrive, other than that nobody reads it. */
export function streamFailure(): TinymlError | undefined {
  return [...failures.values()].find((failure) => failure !== 'reader gone');
}

/** Files and devices are written here and now: Node's own stream drops what a full disk leaves of a write. */
function isDirect(name: StreamName): boolean {
  try {
    const stats = fstatSync(fdOf[name]);
    return stats.isFile() || (stats.isCharacterDevice() && !isatty(fdOf[name]));
  } catch {
    return false;
  }
}

function writeDirect(name: StreamName, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fdOf[name], bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') {
        note(name, error as Error);
        return;
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, retryMs);
    }
  }
}

/** Resolves when the bytes were handed over, or cannot be. */
function write(name: StreamName, bytes: Uint8Array): Promise<void> {
  if (failures.has(name)) return Promise.resolve();
  if (isDirect(name)) {
    writeDirect(name, bytes);
    return Promise.resolve();
  }
  return new Promise((resolve) => {
    process[name].write(bytes, (error) => {
      if (error) note(name, error);
      resolve();
    });
  });
}

function throwFailure(name: StreamName): void {
  const failure = failures.get(name);
  if (name === 'stdout' && failure !== undefined && failure !== 'reader gone') throw failure;
}

/**
 * The one way to a terminal: text is made visible, our colours are set. Throws E_OUTPUT where stdout cannot be written;
 * what only shows later, `streamFailure` tells.
 */
export function print(name: StreamName, text: string): void {
  void write(name, Buffer.from(terminalText(text)));
  throwFailure(name);
}

export function printLine(name: StreamName, text: string): void {
  print(name, text.endsWith('\n') ? text : `${text}\n`);
}

/** Bytes to stdout as they are; resolves when a slow reader has caught up. E_OUTPUT. */
export async function printBytes(bytes: Uint8Array): Promise<void> {
  await write('stdout', bytes);
  throwFailure('stdout');
}

/** Resolves when all that was printed has been handed over. */
export async function flushStreams(): Promise<void> {
  await write('stdout', new Uint8Array(0));
  await write('stderr', new Uint8Array(0));
}

/** From now on a stream that fails does not end the process by itself. */
export function watchStreams(): void {
  for (const name of ['stdout', 'stderr'] as const) process[name].on('error', (error) => note(name, error));
}
