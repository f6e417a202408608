import { createHash, randomUUID } from 'node:crypto';
import {
  existsSync,
  linkSync,
  readFileSync,
  realpathSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockLeftBehind, portBusy, portFailed } from '../errors.ts';

/** The right of one process to use a port; `release` may be called twice. */
export interface PortLock {
  readonly file: string;
  release(): void;
}

interface Holder {
  readonly pid: number;
  /** Tells a later process that was given the same number from the one that made the lock. */
  readonly started: string;
}

const TAKEOVER_STALE_MS = 2_000;

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'unknown error';

/** Field 22 of /proc/PID/stat; empty where there is no /proc. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

function alive(holder: Holder): boolean {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return false;
  }
  const started = startOf(holder.pid);
  return started === '' || holder.started === '' || started === holder.started;
}

/** The holder named in a lock file, or undefined when the file is gone or damaged. */
function readHolder(file: string): Holder | undefined {
  try {
    const [pid, started] = readFileSync(file, 'latin1').slice(0, 64).split('\n');
    const number = Number(pid);
    return Number.isInteger(number) && number > 0 ? { pid: number, started: started ?? '' } : undefined;
  } catch {
    return undefined;
  }
}

/** Makes `file` appear complete or not at all; false when it is there already. */
function createWhole(file: string, content: string): boolean {
  const draft = `${file}.${randomUUID()}`;
  writeFileSync(draft, content, { flag: 'wx', mode: 0o644 });
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    unlinkSync(draft);
  }
}

function remove(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/**
 * Clears a lock whose holder is dead. Only one process at a time may do this, or one could remove the fresh lock of
 * another that was quicker; a second, short-lived lock sees to that.
 */
function clearStale(file: string): void {
  const gate = `${file}.gate`;
  if (!createWhole(gate, `${process.pid}\n`)) {
    const age = Date.now() - (statSync(gate, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > TAKEOVER_STALE_MS) remove(gate);
    return;
  }
  try {
    const holder = readHolder(file);
    if (!holder || !alive(holder)) remove(file);
  } finally {
    remove(gate);
  }
}

function lockFile(port: string, directory: string): string {
  let key = port;
  try {
    key = realpathSync(port);
  } catch {
    // A URL, or a Windows name: itself is the key.
  }
  const digest = createHash('sha256').update(key.toLowerCase()).digest('hex').slice(0, 16);
  return join(directory, `tinyml-port-${digest}.lock`);
}

/** The live process that holds the lock of a port, if there is one. */
export function lockHolder(port: string, directory: string = tmpdir()): number | undefined {
  const holder = readHolder(lockFile(port, directory));
  return holder && alive(holder) ? holder.pid : undefined;
}

/**
 * Takes the port for this process. E_PORT_BUSY names the holder when another live process has it; the lock of a dead
 * one is cleared. Different names of one device (links in /dev/serial) count as one port.
 */
export function lockPort(port: string, directory: string = tmpdir()): PortLock {
  const file = lockFile(port, directory);
  const mine = `${process.pid}\n${startOf(process.pid)}\n${randomUUID()}\n`;
  try {
    for (let tries = 0; tries < 50; tries++) {
      if (createWhole(file, mine)) return { file, release: () => releaseIfMine(file, mine) };
      const holder = readHolder(file);
      if (holder && alive(holder)) {
        throw portBusy(
          port,
          holder.pid === process.pid ? 'this process holds it' : `process ${holder.pid} holds it`,
        );
      }
      clearStale(file);
    }
  } catch (error) {
    if (codeOf(error) === 'E_PORT_BUSY') throw error;
    // In a shared folder only its owner may remove a file.
    if (codeOf(error) === 'EPERM' || codeOf(error) === 'EACCES') {
      if (existsSync(file)) throw lockLeftBehind(port, file);
    }
    throw portFailed(port, `its lock file ${file} cannot be used (${codeOf(error)})`, error);
  }
  throw portFailed(port, `its lock file ${file} is disputed; remove it`);
}

function releaseIfMine(file: string, mine: string): void {
  try {
    if (readFileSync(file, 'latin1') === mine) remove(file);
  } catch {
    // Already released.
  }
}
