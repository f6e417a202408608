import { systemTree } from '../host/read-system.ts';
import { listTtyDevices, type TtyDevice } from '../host/tty-devices.ts';

/** A serial port of this machine; fields the system does not tell are absent. */
export interface PortInfo {
  readonly path: string;
  readonly manufacturer?: string;
  readonly product?: string;
  readonly serialNumber?: string;
  /** USB ids, four lower-case hexadecimal digits. */
  readonly vendorId?: string;
  readonly productId?: string;
}

function fromTty({ path, usb }: TtyDevice): PortInfo {
  if (!usb) return { path };
  const { place: _place, folder: _folder, ...info } = usb;
  return { path, ...info };
}

/** macOS and Windows, through the native package; empty where that is missing. */
async function fromPackage(): Promise<PortInfo[]> {
  const { SerialPort } = await import('serialport').catch(() => ({ SerialPort: undefined }));
  const found = (await SerialPort?.list().catch(() => [])) ?? [];
  return found.map(({ path, manufacturer, serialNumber, vendorId, productId }) => ({
    path,
    ...(manufacturer ? { manufacturer } : {}),
    ...(serialNumber ? { serialNumber } : {}),
    ...(vendorId ? { vendorId: vendorId.toLowerCase().padStart(4, '0') } : {}),
    ...(productId ? { productId: productId.toLowerCase().padStart(4, '0') } : {}),
  }));
}

/**
 * All serial ports, those on USB first. On Linux from /sys below `root`, which needs neither udev nor native code, so
 * that small systems and containers are served too.
 */
export async function listPorts(root = ''): Promise<PortInfo[]> {
  const linux = process.platform === 'linux' || root !== '';
  const ports = linux ? listTtyDevices(systemTree(root)).map(fromTty) : await fromPackage();
  return ports.sort(
    (a, b) =>
      Number('vendorId' in b) - Number('vendorId' in a) ||
      a.path.localeCompare(b.path, 'en', { numeric: true }),
  );
}
