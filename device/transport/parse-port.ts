import { portUrlInvalid } from '../errors.ts';
import type { UsbIdentity } from './find-port.ts';

export type PortAddress =
  | { readonly kind: 'serial'; readonly path: string }
  | { readonly kind: 'usb'; readonly ids: UsbIdentity }
  | { readonly kind: 'tcp' | 'rfc2217'; readonly host: string; readonly port: number };

/** `303a:1001`, `0x10c4:0xea60:0001`; a serial number may hold colons (Espressif's are MAC addresses). */
const usbName = /^(?:0x)?([0-9a-f]{4}):(?:0x)?([0-9a-f]{4})(?::(\S{1,128}))?$/i;

function parseLocal(name: string): PortAddress {
  if (name.trim() === '' || name.includes('\0')) throw portUrlInvalid(name, 'it is empty');
  const usb = usbName.exec(name);
  if (!usb) return { kind: 'serial', path: name };
  const [, vendorId = '', productId = '', serialNumber] = usb;
  const ids = { vendorId: vendorId.toLowerCase(), productId: productId.toLowerCase() };
  return { kind: 'usb', ids: { ...ids, ...(serialNumber === undefined ? {} : { serialNumber }) } };
}

/** Takes a port name apart without touching it; E_PORT_URL when it cannot be one. */
export function parsePort(name: string): PortAddress {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(name)?.[1]?.toLowerCase();
  if (scheme === undefined) return parseLocal(name);
  if (scheme !== 'tcp' && scheme !== 'socket' && scheme !== 'rfc2217') {
    throw portUrlInvalid(name, `${scheme}:// is not a kind of port that tinyml knows`);
  }
  const parts = /^[^/]*:\/\/(\[[0-9a-f:.]+\]|[^/:?#[\]@]+):(\d{1,5})\/?$/i.exec(name);
  const port = Number(parts?.[2]);
  if (!parts?.[1] || !(port >= 1 && port <= 65535))
    throw portUrlInvalid(name, 'host:port must follow the //');
  return { kind: scheme === 'rfc2217' ? 'rfc2217' : 'tcp', host: parts[1].replace(/^\[|\]$/g, ''), port };
}

const loopback = /^(localhost|127(\.\d+){3}|::1)$/i;

/** One text for all spellings of a port that has one user at a time. */
export function lockKey(address: Exclude<PortAddress, { kind: 'usb' }>): string {
  if (address.kind === 'serial') return address.path.replace(/^\\\\\.\\/, '');
  return `${loopback.test(address.host) ? 'localhost' : address.host}:${address.port}`;
}
