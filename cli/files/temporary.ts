import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { Lifetime } from '../lifetime.ts';

/** `.NAME.tinyml-PID-RANDOM.tmp` beside NAME: the process that made it can be told from its name. */
export function temporaryBeside(path: string): string {
  const name = `.${basename(path).slice(0, 200)}.tinyml-${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  return join(dirname(path), name);
}

const pattern = /^\.(.*)\.tinyml-(\d+)-[0-9a-f]{8}\.tmp$/;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Leftovers beside `path` of runs that were killed: their paths. */
export function abandonedBeside(path: string): string[] {
  const folder = dirname(path);
  let entries: string[];
  try {
    entries = readdirSync(folder);
  } catch {
    return [];
  }
  const name = basename(path).slice(0, 200);
  return entries
    .filter((entry) => {
      const match = pattern.exec(entry);
      return match !== null && match[1] === name && !isAlive(Number(match[2]));
    })
    .map((entry) => join(folder, entry));
}

export function removeQuietly(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

/** A working folder that is gone when the command ends. */
export function temporaryFolder(lifetime: Lifetime, purpose: string): string {
  const root = tmpdir();
  removeAbandonedFolders(root);
  const folder = mkdtempSync(join(root, `tinyml-${process.pid}-${purpose}-`));
  lifetime.onEnd(() => removeQuietly(folder));
  return folder;
}

function removeAbandonedFolders(root: string): void {
  for (const entry of readdirSync(root)) {
    const match = /^tinyml-(\d+)-[a-z]+-\w{6}$/.exec(entry);
    if (match && !isAlive(Number(match[1]))) removeQuietly(join(root, entry));
  }
}
