import { closeSync, fsyncSync, ftruncateSync, openSync, renameSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import type { Lifetime } from '../lifetime.ts';
import {
  type FileContent,
  keepAccessIfPossible,
  makeFolders,
  naming,
  syncFolder,
  writeAll,
  writeDurably,
} from './durable.ts';
import { outputNotPlain } from './errors.ts';
import { finalPath, statsAt } from './final-path.ts';
import { refuseOverInputs } from './guard.ts';
import { describeStats } from './input-file.ts';
import { removeAbandonedBeside, removeQuietly, temporaryBeside } from './temporary.ts';

/** What stands at the final path of an output. Refuses what is no plain file, or one that the command reads. */
export function claimFile(path: string, target: string): Stats | undefined {
  const existing = statsAt(target);
  if (existing && !existing.isFile()) throw outputNotPlain(path, describeStats(existing));
  refuseOverInputs(path, target);
  return existing;
}

/**
 * Writes one file so that at every moment either the old content or the whole new one stands at `path`: temporary name
 * in the same folder, fsync, rename. Owner and mode stay. Leftovers of killed runs are removed. E_OUTPUT,
 * E_OUTPUT_IS_INPUT.
 */
export function writeFileAtomically(path: string, content: FileContent, lifetime: Lifetime): void {
  naming(path, () => {
    const target = finalPath(path);
    const existing = claimFile(path, target);
    makeFolders(dirname(target));
    removeAbandonedBeside(target);
    const temporary = temporaryBeside(target);
    const withdraw = lifetime.onEnd(() => removeQuietly(temporary));
    try {
      writeDurably(temporary, content, existing ? 0o600 : undefined);
      if (existing) keepAccessIfPossible(temporary, existing);
      renameSync(temporary, target);
      syncFolder(dirname(target));
    } finally {
      removeQuietly(temporary);
      withdraw();
    }
  });
}

/** A file that only grows. */
export interface GrowingFile {
  append(bytes: Uint8Array): void;
  /** Returns when all of it is on the disk. */
  sync(): void;
  close(): void;
}

/**
 * Opens a file to add to its end; what lies behind `keep` bytes is cut off. E_OUTPUT, E_OUTPUT_IS_INPUT, also from the
 * functions of the result.
 */
export function openToAppend(path: string, keep?: number): GrowingFile {
  const attempt = <T>(work: () => T) => naming(path, work);
  const fd = attempt(() => {
    claimFile(path, finalPath(path));
    const file = openSync(path, 'a', 0o644);
    if (keep !== undefined) ftruncateSync(file, keep);
    return file;
  });
  return {
    append: (bytes) => attempt(() => writeAll(fd, bytes)),
    sync: () => attempt(() => fsyncSync(fd)),
    close: () => closeSync(fd),
  };
}
