import { findByIds, identityOf } from '../../device/transport/find-port.ts';
import type { FollowOptions } from '../../device/transport/following-transport.ts';
import { parsePort } from '../../device/transport/parse-port.ts';
import { systemRoot } from './usb-boards.ts';

/** Espressif's own vendor id: such a port is the chip itself, and goes with it at every reset. */
const espressif = '303a';
/** Windows takes seconds to name a port again. */
const followMs = 5_000;

/** The USB identity of a port of this machine; undefined for all others. */
export async function usbIdentityOf(port: string) {
  const address = parsePort(port);
  let path = address.kind === 'serial' ? address.path : undefined;
  if (address.kind === 'usb') path = await findByIds(port, address.ids, systemRoot());
  return path === undefined ? undefined : identityOf(path, systemRoot());
}

/** Follows a chip that is its own USB device through its resets; an adapter stays, so that its loss is told at once. */
export async function followNativeUsb(port: string): Promise<{ follow?: FollowOptions }> {
  const identity = await usbIdentityOf(port);
  return identity?.vendorId === espressif ? { follow: { followMs } } : {};
}
