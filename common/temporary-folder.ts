import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRunning, ownMark } from './process-mark.ts';

/** `tinyml-PID.STARTED-PURPOSE-RANDOM`: the process that made it can be told from its name. */
const pattern = /^tinyml-(\d+)(?:\.(\d+))?-[a-z]+-\w{6}$/;

/** Like rm -rf, but what cannot be removed stays. */
export function removeQuietly(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // Another user's.
  }
}

function removeAbandoned(root: string): void {
  for (const entry of readdirSync(root)) {
    const [, pid, started = ''] = pattern.exec(entry) ?? [];
    if (pid !== undefined && !isRunning({ pid: Number(pid), started })) removeQuietly(join(root, entry));
  }
}

/** A new folder for what is thrown away at the end; those that killed processes left behind are removed first. */
export function makeTemporaryFolder(purpose: string): string {
  const root = tmpdir();
  removeAbandoned(root);
  const { pid, started } = ownMark();
  return mkdtempSync(join(root, `tinyml-${pid}${started && `.${started}`}-${purpose}-`));
}
