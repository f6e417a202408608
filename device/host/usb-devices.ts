import type { SystemTree } from './read-system.ts';

/** A USB device as its descriptors tell it; texts that it does not have are absent. */
export interface UsbDevice {
  /** Four lower-case hexadecimal digits each. */
  readonly vendorId: string;
  readonly productId: string;
  readonly manufacturer?: string;
  readonly product?: string;
  readonly serialNumber?: string;
  /** Where it is plugged in, such as `1-1.4`. */
  readonly place: string;
  /** Its folder in /sys. */
  readonly folder: string;
}

/** The device whose descriptors are in `folder` of /sys (Linux: Documentation/ABI/testing/sysfs-bus-usb). */
export function readUsbDevice(tree: SystemTree, folder: string): UsbDevice | undefined {
  const vendorId = tree.text(`${folder}/idVendor`);
  const productId = tree.text(`${folder}/idProduct`);
  if (!/^[0-9a-f]{4}$/i.test(vendorId ?? '') || !/^[0-9a-f]{4}$/i.test(productId ?? '')) return undefined;
  const manufacturer = tree.text(`${folder}/manufacturer`);
  const product = tree.text(`${folder}/product`);
  const serialNumber = tree.text(`${folder}/serial`);
  return {
    vendorId: vendorId!.toLowerCase(),
    productId: productId!.toLowerCase(),
    ...(manufacturer ? { manufacturer } : {}),
    ...(product ? { product } : {}),
    ...(serialNumber ? { serialNumber } : {}),
    place: folder.slice(folder.lastIndexOf('/') + 1),
    folder,
  };
}

/** USB devices of a Linux machine, without the hubs that are part of it. */
export function listUsbDevices(tree: SystemTree): UsbDevice[] {
  const hub = '09';
  return tree
    .names('/sys/bus/usb/devices')
    .map((name) => tree.real(`/sys/bus/usb/devices/${name}`))
    .filter((folder) => folder !== undefined)
    .filter((folder) => tree.text(`${folder}/bDeviceClass`) !== hub)
    .map((folder) => readUsbDevice(tree, folder))
    .filter((device) => device !== undefined);
}
