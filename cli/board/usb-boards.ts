import { basename } from 'node:path';
import { type Board, listBoards } from '../../boards/load.ts';

interface UsbIds {
  readonly vendorId?: string;
  readonly productId?: string;
}

/** Whether a board shows itself with these ids on USB, or the adapter that it is reached through does. */
export function showsIds(board: Board, { vendorId, productId }: UsbIds): boolean {
  const vid = Number.parseInt(vendorId ?? '', 16);
  const pid = Number.parseInt(productId ?? '', 16);
  return board.usb.some((ids) => ids.vid === vid && ids.pid === pid);
}

/** Boards that may be behind a USB device; several share an adapter's ids. */
export function boardsBehind(device: UsbIds): readonly Board[] {
  return listBoards().filter((board) => showsIds(board, device));
}

/** Names that the drive of the board's debug probe may have. */
export function driveNamesOf(board: Board): readonly string[] {
  return board.flash.flatMap((way) => (way.method === 'mass-storage' ? way.volumes : []));
}

/** Whether a drive is mounted under a name of this board's, or under that with a digit behind it, as second ones are. */
export function isDriveOf(board: Board, path: string): boolean {
  return driveNamesOf(board).some((name) => new RegExp(`^${name}\\d?$`).test(basename(path)));
}

/** Probes of many boards have the same ids; the name of a drive that is part of one tells which board it is on. */
export function boardsByDrive(boards: readonly Board[], drives: readonly string[]): readonly Board[] {
  const named = boards.filter((board) => drives.some((path) => isDriveOf(board, path)));
  return named.length > 0 ? named : boards;
}

/**
 * Where this machine's /sys, /proc, /dev and /etc are: `TINYML_SYSTEM_ROOT` names their parent where a container has
 * the host's mounted elsewhere, and where tests have made up a machine.
 */
export function systemRoot(): string {
  return (process.env['TINYML_SYSTEM_ROOT'] ?? '').replace(/\/+$/, '');
}
