import { createHash, randomUUID } from 'node:crypto';
import {
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { noTemporaryPlace } from '../../common/errors.ts';
import { isRunning, ownMark, type ProcessMark } from '../../common/process-mark.ts';
import { lockLeftBehind, portBusy, portFailed } from '../errors.ts';

/** The right of one process to use a port; `release` may be called twice. */
export interface PortLock {
  readonly file: string;
  release(): void;
}

/** What the folder for locks is to blame for, not the port. */
const noPlaceCodes: ReadonlySet<string> = new Set([
  'ENOENT',
  'ENOTDIR',
  'ENOSPC',
  'EDQUOT',
  'EROFS',
  'EACCES',
  'EPERM',
]);

const TAKEOVER_STALE_MS = 2_000;

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'unknown error';

/** The holder named in a lock file, or undefined when the file is gone or damaged. */
function readHolder(file: string): ProcessMark | undefined {
  try {
    const [pid, started] = readFileSync(file, 'latin1').slice(0, 64).split('\n');
    const number = Number(pid);
    return Number.isInteger(number) && number > 0 ? { pid: number, started: started ?? '' } : undefined;
  } catch {
    return undefined;
  }
}

function remove(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/** Makes `file` appear complete or not at all; false when it is there already. */
function createWhole(file: string, content: string): boolean {
  const draft = `${file}.${randomUUID()}`;
  try {
    writeFileSync(draft, content, { flag: 'wx', mode: 0o644 });
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    // A full disk leaves an empty one.
    remove(draft);
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
    if (!holder || !isRunning(holder)) remove(file);
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

const lockName = /^tinyml-port-[0-9a-f]{16}\.lock$/;
const draftName = /^tinyml-port-[0-9a-f]{16}\.lock(?:\.gate)?\.[0-9a-f-]{36}$/;

/** Removes what killed processes left behind of locks of other ports. */
function sweep(directory: string): void {
  for (const name of readdirSync(directory)) {
    const file = join(directory, name);
    const isDraft = draftName.test(name);
    const holder = isDraft || lockName.test(name) ? readHolder(file) : undefined;
    if (!holder || isRunning(holder)) continue;
    try {
      if (isDraft) remove(file);
      else clearStale(file);
    } catch {
      // Another user's.
    }
  }
}

/** The live process that holds the lock of a port, if there is one. */
export function lockHolder(port: string, directory: string = tmpdir()): number | undefined {
  const holder = readHolder(lockFile(port, directory));
  return holder && isRunning(holder) ? holder.pid : undefined;
}

/**
 * Takes the port for this process. E_PORT_BUSY names the holder when another live process has it; the lock of a dead
 * one is cleared. Different names of one device (links in /dev/serial) count as one port.
 */
export function lockPort(port: string, directory: string = tmpdir()): PortLock {
  const file = lockFile(port, directory);
  const { pid, started } = ownMark();
  const mine = `${pid}\n${started}\n${randomUUID()}\n`;
  try {
    for (let tries = 0; tries < 50; tries++) {
      if (createWhole(file, mine)) {
        sweep(directory);
        return { file, release: () => releaseIfMine(file, mine) };
      }
      const holder = readHolder(file);
      if (holder && isRunning(holder)) {
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
    if (noPlaceCodes.has(codeOf(error))) throw noTemporaryPlace(directory, error);
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
