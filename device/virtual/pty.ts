import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { ptyFailed } from '../errors.ts';
import { bounded } from '../transport/bounded.ts';

const START_MS = 3_000;

export interface Pty {
  /** The device that other programs open. */
  readonly path: string;
  write(bytes: Uint8Array): void;
  /** May be called twice. */
  close(): Promise<void>;
}

/** A pseudo terminal made by `socat`, the path of that program, since Node has none of its own. E_PTY. */
export async function openPty(
  socat: string,
  onData: (bytes: Uint8Array) => void,
  signal?: AbortSignal,
): Promise<Pty> {
  const child = spawn(socat, ['-d', '-d', 'STDIO', 'PTY,rawer'], { stdio: 'pipe' });
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on('error', () => {});
  try {
    const path = await ptyPath(child, signal);
    // While nobody has the device open, socat would read an error from it and end; this descriptor keeps it open.
    const holder = openSync(path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
    let closed = false;
    child.stdout.on('data', onData);
    child.stderr.resume();
    return {
      path,
      write: (bytes) => {
        if (child.stdin.writable) child.stdin.write(bytes);
      },
      close: async () => {
        if (!closed) closeSync(holder);
        closed = true;
        await kill(child);
      },
    };
  } catch (error) {
    await kill(child);
    throw error;
  }
}

function ptyPath(child: ChildProcess, signal?: AbortSignal): Promise<string> {
  let text = '';
  const late = () => ptyFailed(text.trim().split('\n').at(-1) ?? 'no answer');
  return bounded<string>({ timeoutMs: START_MS, late, signal }, (resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(late()));
    child.stderr?.on('data', (bytes: Uint8Array) => {
      text = (text + Buffer.from(bytes).toString('latin1')).slice(-4_096);
      const path = /PTY is (\/\S+)/.exec(text)?.[1];
      if (path) resolve(path);
    });
  });
}

function kill(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) {
      resolve();
      return;
    }
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}
