import { portNotFound } from '../errors.ts';
import { findAgain, findByIds, identityOf } from './find-port.ts';
import { FollowingTransport, type FollowOptions } from './following-transport.ts';
import { lockKey, type PortAddress, parsePort } from './parse-port.ts';
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
  /** The tree that holds /sys and /dev, for containers and tests; the machine's own when not given. */
  readonly systemRoot?: string;
  /** Opens the device again when it vanishes and comes back, under whatever name. */
  readonly follow?: FollowOptions;
}

export { type PortAddress, parsePort } from './parse-port.ts';

type Reachable = Exclude<PortAddress, { kind: 'usb' }>;

function connectTo(name: string, address: Reachable, options: OpenOptions): Promise<Transport> {
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

/** Opens a port that is there, with its lock, which is released when it is closed. */
async function openLocked(name: string, address: Reachable, options: OpenOptions): Promise<Transport> {
  const lock = lockPort(lockKey(address), options.lockDirectory);
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

async function openFollowing(
  name: string,
  address: Reachable,
  options: OpenOptions,
  follow: FollowOptions,
): Promise<Transport> {
  const { systemRoot } = options;
  const identity = address.kind === 'serial' ? await identityOf(address.path, systemRoot) : undefined;
  const again = async () => {
    const path = identity && (await findAgain(identity, systemRoot));
    if (path !== undefined) return openLocked(path, { kind: 'serial', path }, options);
    // Another device may have taken the old name; only what has no serial number is taken for the same by its name.
    if (identity?.serialNumber !== undefined) throw portNotFound(name);
    return openLocked(name, address, options);
  };
  return new FollowingTransport(await openLocked(name, address, options), again, follow);
}

/**
 * Opens a port by name (`/dev/ttyACM0`, `COM5`, `VID:PID[:SERIAL]`, `tcp://host:port`, `rfc2217://host:port`) for this
 * process alone.
 * Errors: E_PORT_URL, E_PORT_BUSY (names the holder), E_PORT_NOT_FOUND, E_SEVERAL_PORTS, E_PORT_PERMISSION,
 * E_PORT_UNREACHABLE, E_NOT_RFC2217, E_SERIALPORT_MISSING.
 */
export async function openTransport(name: string, options: OpenOptions = {}): Promise<Transport> {
  options.signal?.throwIfAborted();
  const address = parsePort(name);
  const path = address.kind === 'usb' ? await findByIds(name, address.ids, options.systemRoot) : undefined;
  const reachable: Reachable = address.kind === 'usb' ? { kind: 'serial', path: path! } : address;
  const shown = path ?? name;
  if (options.follow) return openFollowing(shown, reachable, options, options.follow);
  return openLocked(shown, reachable, options);
}
