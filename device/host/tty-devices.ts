import { dirname } from 'node:path';
import type { SystemTree } from './read-system.ts';
import { readUsbDevice, type UsbDevice } from './usb-devices.ts';

export interface TtyDevice {
  readonly path: string;
  /** The USB device that it is a part of. */
  readonly usb?: UsbDevice;
  /** The kernel's driver: cdc_acm, ch341, cp210x, ftdi_sio. */
  readonly driver?: string;
}

/** Type 0 (PORT_UNKNOWN) marks the serial ports that a PC reserves names for and does not have. */
const isThere = (tree: SystemTree, name: string) => tree.text(`/sys/class/tty/${name}/type`) !== '0';

/** The nearest folder above a tty's that has USB descriptors. */
function usbAbove(tree: SystemTree, device: string): UsbDevice | undefined {
  for (let folder = device; folder.length > '/sys/devices'.length; folder = dirname(folder)) {
    const usb = readUsbDevice(tree, folder);
    if (usb) return usb;
  }
  return undefined;
}

function readTty(tree: SystemTree, name: string): TtyDevice | undefined {
  const device = tree.real(`/sys/class/tty/${name}/device`);
  if (device === undefined || !isThere(tree, name)) return undefined;
  const usb = usbAbove(tree, device);
  const driver = tree.real(`${device}/driver`)?.split('/').at(-1);
  return { path: `/dev/${name}`, ...(usb ? { usb } : {}), ...(driver ? { driver } : {}) };
}

/** The serial ports of a Linux machine that have hardware behind them, from /sys alone: no udev is asked. */
export function listTtyDevices(tree: SystemTree): TtyDevice[] {
  return tree
    .names('/sys/class/tty')
    .map((name) => readTty(tree, name))
    .filter((tty) => tty !== undefined);
}
