import type { Board } from '../../../boards/load.ts';
import { systemTree } from '../../../device/host/read-system.ts';
import { listUsbDevices } from '../../../device/host/usb-devices.ts';
import { listPorts } from '../../../device/transport/list-ports.ts';
import { severalBoardsFound } from '../errors.ts';
import { systemRoot } from '../usb-boards.ts';

/** Serial numbers are handed to other programs. */
const serialForm = /^[0-9A-Za-z]{1,64}$/;

/** Whether the system can tell what is plugged in. */
export const canList = () => process.platform === 'linux' || systemRoot() !== '';

/**
 * Serial number of the one device with ids like `0483:374b`: of the board's own where it has such ids, else of any.
 * With several, the one that also shows `port`. Undefined when there is none, empty where it has no serial number or
 * the system does not tell. E_SEVERAL_BOARDS.
 */
export async function presentDevice(
  board: Board,
  ids: readonly string[],
  port: string | undefined,
): Promise<string | undefined> {
  if (!canList()) return '';
  const hex = (value: number) => value.toString(16).padStart(4, '0');
  const own = board.usb.map(({ vid, pid }) => `${hex(vid)}:${hex(pid)}`).filter((one) => ids.includes(one));
  const wanted = own.length > 0 ? own : ids;
  const found = listUsbDevices(systemTree(systemRoot())).filter(({ vendorId, productId }) =>
    wanted.includes(`${vendorId}:${productId}`),
  );
  if (found.length > 1) {
    const serial = (await listPorts(systemRoot())).find(({ path }) => path === port)?.serialNumber;
    const match = found.find(({ serialNumber }) => serial !== undefined && serialNumber === serial);
    if (!match) {
      const names = found.map(({ serialNumber, place }) => serialNumber ?? `at ${place}`);
      throw severalBoardsFound(board.id, names);
    }
    return match.serialNumber ?? '';
  }
  return found[0] && (found[0].serialNumber ?? '');
}

/** The same, undefined also where no serial number has to be told to a program. */
export async function onlyDevice(
  board: Board,
  ids: readonly string[],
  port: string | undefined,
): Promise<string | undefined> {
  const serial = await presentDevice(board, ids, port);
  return serial !== undefined && serialForm.test(serial) ? serial : undefined;
}
