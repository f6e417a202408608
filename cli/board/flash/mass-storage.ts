import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Board } from '../../../boards/load.ts';
import { listMounts } from '../../../device/host/mounts.ts';
import { systemTree } from '../../../device/host/read-system.ts';
import { planImage } from '../../../device/stm32-bootloader/image-plan.ts';
import { severalBoardsFound } from '../errors.ts';
import { stm32TargetOf } from '../stm32-target.ts';
import { isDriveOf, driveNamesOf as namesOf, systemRoot } from '../usb-boards.ts';
import { driveFailed, driveMissing, driveRefused } from './errors.ts';
import type { Flasher } from './flasher.ts';

/** The debug probe writes at some 20 kB a second at least; then it shows its drive anew. */
const consumeMs = 60_000;
const remountMs = 10_000;
const pollMs = 100;
const fileName = 'firmware.bin';

/** Drives with the names that the board's probe gives them, or those with a digit behind; macOS mounts below /Volumes. */
export function drivesOf(board: Board): string[] {
  const names = namesOf(board);
  const mac = process.platform === 'darwin' ? names.map((name) => `/Volumes/${name}`).filter(existsSync) : [];
  const mounted = listMounts(systemTree(systemRoot())).map(({ path }) => path);
  return [...mounted.filter((path) => isDriveOf(board, path)), ...mac];
}

/** Errors of a drive that vanishes under our hands are no news: the probe unplugs it by itself. */
function copyTo(drive: string, image: Uint8Array): void {
  const path = join(drive, fileName);
  let file: number | undefined;
  try {
    file = openSync(path, 'w');
    for (let at = 0; at < image.length; ) at += writeSync(file, image, at);
    fsyncSync(file);
  } catch (error) {
    throw driveFailed(drive, (error as NodeJS.ErrnoException).code ?? String(error));
  } finally {
    if (file !== undefined) {
      try {
        closeSync(file);
      } catch {
        // Gone with the drive.
      }
    }
  }
}

function failure(drive: string): string | undefined {
  try {
    return readFileSync(join(drive, 'FAIL.TXT'), 'utf8').replace(/\s+/g, ' ').trim().slice(0, 200);
  } catch {
    return undefined;
  }
}

const consumed = (drive: string) => !existsSync(join(drive, fileName));

const flash: Flasher['flash'] = async (context, { board }, image, progress) => {
  if (board.family !== 'stm32') throw driveMissing(board.id, namesOf(board));
  planImage(image, stm32TargetOf(board));
  const drives = drivesOf(board);
  if (drives.length > 1) throw severalBoardsFound(board.id, drives);
  const [drive] = drives;
  if (drive === undefined) throw driveMissing(board.id, namesOf(board));
  const began = performance.now();
  const pause = async () => {
    await new Promise((resolve) => setTimeout(resolve, pollMs));
    context.lifetime.signal.throwIfAborted();
  };
  const until = async (ready: () => boolean, ms: number) => {
    for (const end = performance.now() + ms; performance.now() < end; await pause()) if (ready()) return true;
    return ready();
  };
  progress(`copy to ${drive}`);
  copyTo(drive, image);
  progress('the debug probe writes the chip');
  if (!(await until(() => consumed(drive), consumeMs))) throw driveFailed(drive, 'it did not take the file');
  // It comes back under the same name, with a note if something went wrong.
  await until(() => drivesOf(board).length > 0, remountMs);
  const said = drivesOf(board)
    .map(failure)
    .find((text) => text !== undefined);
  if (said !== undefined) throw driveRefused(drive, said);
  context.output.warn(`${board.id}: a drive cannot be read back; tinyml verify proves what the chip holds`);
  return {
    imageBytes: image.length,
    bytesWritten: image.length,
    bytesKept: 0,
    bytesVerified: 0,
    elapsedMs: performance.now() - began,
  };
};

export const massStorage: Flasher = {
  method: 'mass-storage',
  needsPort: false,
  flash,
  whyNot: async (board) =>
    drivesOf(board).length > 0 ? undefined : `no drive named ${namesOf(board).join(' or ')} is mounted`,
};
