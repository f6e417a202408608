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

/**
 * Where this machine's /sys, /proc, /dev and /etc are: `TINYML_SYSTEM_ROOT` names their parent where a container has
 * the host's mounted elsewhere, and where tests have made up a machine.
 */
export function systemRoot(): string {
  return (process.env['TINYML_SYSTEM_ROOT'] ?? '').replace(/\/+$/, '');
}
