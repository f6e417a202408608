import { lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { noTemporaryPlace } from './errors.ts';
import { markForm, markText, ownMark, type ProcessMark, readMark, stateOf } from './process-mark.ts';

/** `tinyml-PROCESS-PURPOSE-RANDOM`: the process that made it can be told from its name. */
const pattern = new RegExp(`^tinyml-${markForm}-[a-z]+-\\w{6}$`);
/** What nobody here can ask after is litter when it is this old. */
const forgottenMs = 24 * 3_600_000;

/** Like rm -rf, but what cannot be removed stays. */
export function removeQuietly(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // Another user's.
  }
}

function isAbandoned(path: string, mark: ProcessMark): boolean {
  const state = stateOf(mark);
  if (state !== 'elsewhere') return state === 'ended';
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats !== undefined && Date.now() - stats.ctimeMs > forgottenMs;
}

function removeAbandoned(root: string): void {
  for (const entry of readdirSync(root)) {
    const [, ...groups] = pattern.exec(entry) ?? [];
    const path = join(root, entry);
    if (groups.length > 0 && isAbandoned(path, readMark(groups))) removeQuietly(path);
  }
}

/**
 * A new folder for what is thrown away at the end; those that killed processes left behind are removed first. E_TEMPORARY.
 */
export function makeTemporaryFolder(purpose: string): string {
  const root = tmpdir();
  try {
    removeAbandoned(root);
    return mkdtempSync(join(root, `tinyml-${markText(ownMark())}-${purpose}-`));
  } catch (error) {
    throw noTemporaryPlace(root, error);
  }
}
