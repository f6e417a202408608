import { realpathSync } from 'node:fs';
import { portIdsNotFound, severalPortsMatch } from '../errors.ts';
import { listPorts, type PortInfo } from './list-ports.ts';

/** What a USB device keeps when it is plugged in elsewhere. */
export interface UsbIdentity {
  readonly vendorId: string;
  readonly productId: string;
  readonly serialNumber?: string;
}

const hasIds = (port: PortInfo, { vendorId, productId }: UsbIdentity) =>
  port.vendorId === vendorId && port.productId === productId;

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** The port behind `VID:PID[:SERIAL]`. E_PORT_NOT_FOUND, E_SEVERAL_PORTS. */
export async function findByIds(name: string, wanted: UsbIdentity, root = ''): Promise<string> {
  const { serialNumber } = wanted;
  const matches = (await listPorts(root)).filter(
    (port) =>
      hasIds(port, wanted) &&
      (serialNumber === undefined || port.serialNumber?.toLowerCase() === serialNumber.toLowerCase()),
  );
  if (matches.length > 1) {
    throw severalPortsMatch(
      name,
      matches.map(({ path, serialNumber = '' }) => `${path} ${serialNumber}`.trim()),
    );
  }
  if (!matches[0]) throw portIdsNotFound(name);
  return root + matches[0].path;
}

/** Who is behind a port that is there now; undefined for what is not on USB. */
export async function identityOf(path: string, root = ''): Promise<UsbIdentity | undefined> {
  const real = realPath(path);
  const port = (await listPorts(root)).find((one) => realPath(root + one.path) === real);
  if (port?.vendorId === undefined || port.productId === undefined) return undefined;
  const { vendorId, productId, serialNumber } = port;
  return { vendorId, productId, ...(serialNumber === undefined ? {} : { serialNumber }) };
}

/**
 * Where a device is now that was seen before: by its serial number, whatever its name and product id have become
 * (a chip's own USB shows another product id in its boot loader); without one by its ids, if only one port has them.
 */
export async function findAgain(identity: UsbIdentity, root = ''): Promise<string | undefined> {
  const ports = await listPorts(root);
  const { serialNumber, vendorId } = identity;
  const matches = ports.filter((port) =>
    serialNumber === undefined
      ? hasIds(port, identity)
      : port.serialNumber === serialNumber && port.vendorId === vendorId,
  );
  const exact = matches.filter((port) => hasIds(port, identity));
  const found = exact.length > 0 ? exact : matches;
  return found.length === 1 ? root + found[0]!.path : undefined;
}
