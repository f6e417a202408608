import { portUrlInvalid } from '../errors.ts';
import { lockPort } from './port-lock.ts';
import { Rfc2217Transport } from './rfc2217-transport.ts';
import { SerialPortTransport } from './serialport-transport.ts';
import { TcpTransport } from './tcp-transport.ts';
import type { Parity, Transport } from './transport.ts';

export interface OpenOptions {
  /** Bits per second, 115200 when not given. */
  readonly baud?: number;
  readonly parity?: Parity;
  readonly signal?: AbortSignal;
  /** Told what is odd but not wrong, such as a pty without modem lines. */
  readonly onWarning?: (text: string) => void;
  /** Where lock files are kept; the system's folder for temporary files when not given. */
  readonly lockDirectory?: string;
}

export type PortAddress =
  | { readonly kind: 'serial'; readonly path: string }
  | { readonly kind: 'tcp' | 'rfc2217'; readonly host: string; readonly port: number };

/** Takes a port name apart without touching it; E_PORT_URL when it cannot be one. */
export function parsePort(name: string): PortAddress {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(name)?.[1]?.toLowerCase();
  if (scheme === undefined) {
    if (name.trim() === '' || name.includes('\0')) throw portUrlInvalid(name, 'it is empty');
    return { kind: 'serial', path: name };
  }
  if (scheme !== 'tcp' && scheme !== 'socket' && scheme !== 'rfc2217') {
    throw portUrlInvalid(name, `${scheme}:// is not a kind of port that tinyml knows`);
  }
  const parts = /^[^/]*:\/\/(\[[0-9a-f:.]+\]|[^/:?#[\]@]+):(\d{1,5})\/?$/i.exec(name);
  const port = Number(parts?.[2]);
  if (!parts?.[1] || !(port >= 1 && port <= 65535))
    throw portUrlInvalid(name, 'host:port must follow the //');
  return { kind: scheme === 'rfc2217' ? 'rfc2217' : 'tcp', host: parts[1].replace(/^\[|\]$/g, ''), port };
}

function connectTo(name: string, address: PortAddress, options: OpenOptions): Promise<Transport> {
  const baud = options.baud ?? 115_200;
  const parity = options.parity ?? 'none';
  switch (address.kind) {
    case 'serial':
      return SerialPortTransport.open(address.path, baud, parity, options.onWarning ?? (() => {}));
    case 'tcp':
      return TcpTransport.open(name, address.host, address.port, options.signal);
    case 'rfc2217':
      return Rfc2217Transport.open(name, address.host, address.port, baud, parity, options.signal);
  }
}

/**
 * Opens a port by name (`/dev/ttyACM0`, `COM5`, `tcp://host:port`, `rfc2217://host:port`) for this process alone.
 * Errors: E_PORT_URL, E_PORT_BUSY (names the holder), E_PORT_NOT_FOUND, E_PORT_PERMISSION, E_PORT_UNREACHABLE,
 * E_NOT_RFC2217, E_SERIALPORT_MISSING.
 */
export async function openTransport(name: string, options: OpenOptions = {}): Promise<Transport> {
  options.signal?.throwIfAborted();
  const address = parsePort(name);
  const key = address.kind === 'serial' ? address.path : `${address.host}:${address.port}`;
  const lock = lockPort(key, options.lockDirectory);
  try {
    const transport = await connectTo(name, address, options);
    const close = transport.close.bind(transport);
    transport.close = () => close().finally(() => lock.release());
    return transport;
  } catch (error) {
    lock.release();
    throw error;
  }
}
