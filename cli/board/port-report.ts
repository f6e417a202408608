import { join } from 'node:path';
import { drivesOfUsb } from '../../device/host/mounts.ts';
import { accessTo, type PortAccess } from '../../device/host/port-access.ts';
import { type PortUser, usersOf } from '../../device/host/port-users.ts';
import { systemTree } from '../../device/host/read-system.ts';
import { listUsbDevices, type UsbDevice } from '../../device/host/usb-devices.ts';
import { listPorts, type PortInfo } from '../../device/transport/list-ports.ts';
import { lockHolder } from '../../device/transport/port-lock.ts';
import { boardsBehind, boardsByDrive, systemRoot } from './usb-boards.ts';

export interface PortReport extends PortInfo {
  /** Ids of the boards that may be behind it, and what their files call what was found. */
  readonly boards: readonly string[];
  readonly what: string | null;
  /** Who uses it now. */
  readonly holders: readonly PortUser[];
  /** Null where the system does not tell. */
  readonly access: PortAccess | null;
}

/** A USB device of a board of ours that offers no serial port: a boot loader in DFU mode, a debug probe. */
export interface BareDevice {
  readonly usb: string;
  readonly product: string;
  readonly boards: readonly string[];
  readonly what: string;
}

const linux = () => process.platform === 'linux' || systemRoot() !== '';

function nameOf(ids: { vendorId?: string; productId?: string }): string | null {
  const vid = Number.parseInt(ids.vendorId ?? '', 16);
  const pid = Number.parseInt(ids.productId ?? '', 16);
  const usb = boardsBehind(ids).flatMap((board) => board.usb);
  return usb.find((one) => one.vid === vid && one.pid === pid)?.what ?? null;
}

function holdersOf(path: string): PortUser[] {
  const tree = systemTree(systemRoot());
  const locker = lockHolder(join(systemRoot(), path));
  const users = linux() ? usersOf(tree, path) : [];
  if (locker === undefined || users.some(({ pid }) => pid === locker)) {
    return users.map((user) => (user.pid === locker ? { ...user, program: 'tinyml' } : user));
  }
  return [{ pid: locker, program: 'tinyml' }, ...users];
}

/** Boards that a USB device may be part of, by its ids and by its drives. */
function boardsOf({ vendorId, productId, folder }: UsbDevice): string[] {
  const drives = drivesOfUsb(systemTree(systemRoot()), folder);
  return boardsByDrive(boardsBehind({ vendorId, productId }), drives).map(({ id }) => id);
}

function boardsOfPort(port: PortInfo, devices: readonly UsbDevice[]): string[] {
  const same = devices.filter(
    ({ vendorId, productId, serialNumber }) =>
      vendorId === port.vendorId && productId === port.productId && serialNumber === port.serialNumber,
  );
  const [device] = same;
  return device && same.length === 1 ? boardsOf(device) : boardsBehind(port).map(({ id }) => id);
}

/** What is plugged in, which board it probably is, who has it, and whether this user may. */
export async function reportPorts(): Promise<PortReport[]> {
  const ports = await listPorts(systemRoot());
  const devices = linux() ? listUsbDevices(systemTree(systemRoot())) : [];
  return ports.map((port) => ({
    ...port,
    boards: boardsOfPort(port, devices),
    what: nameOf(port),
    holders: holdersOf(port.path),
    access: linux() ? accessTo(systemTree(systemRoot()), port.path) : null,
  }));
}

/** Boards on USB that show no serial port at the moment. */
export function reportBareDevices(ports: readonly PortInfo[]): BareDevice[] {
  if (!linux()) return [];
  const isPort = (serial: string | undefined, ids: string) =>
    ports.some((port) => `${port.vendorId}:${port.productId}` === ids && port.serialNumber === serial);
  return listUsbDevices(systemTree(systemRoot())).flatMap((device) => {
    const usb = `${device.vendorId}:${device.productId}`;
    const boards = boardsOf(device);
    if (boards.length === 0 || isPort(device.serialNumber, usb)) return [];
    return [{ usb, product: device.product ?? '', boards, what: nameOf(device) ?? '' }];
  });
}
