import { connect, type Socket } from 'node:net';
import { deviceLost, portUnreachable } from '../errors.ts';
import { bounded } from './bounded.ts';

const CONNECT_MS = 5_000;
const WRITE_MS = 10_000;

const SOCKET_REASONS = new Map([
  ['ECONNREFUSED', 'connection refused'],
  ['ENOTFOUND', 'unknown host'],
  ['EAI_AGAIN', 'unknown host'],
  ['EHOSTUNREACH', 'host unreachable'],
  ['ENETUNREACH', 'network unreachable'],
  ['ETIMEDOUT', 'timed out'],
  ['ECONNRESET', 'connection reset'],
]);

const reasonOf = (error: NodeJS.ErrnoException): string =>
  SOCKET_REASONS.get(error.code ?? '') ?? error.code ?? 'connection failed';

/** Connects, or fails with E_PORT_UNREACHABLE within five seconds. */
export async function connectSocket(
  name: string,
  host: string,
  port: number,
  signal?: AbortSignal,
): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true });
  try {
    const late = () => portUnreachable(name, 'timed out');
    await bounded<void>({ timeoutMs: CONNECT_MS, late, signal }, (resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', (error) => reject(portUnreachable(name, reasonOf(error))));
    });
    socket.removeAllListeners();
    return socket;
  } catch (error) {
    socket.on('error', () => {});
    socket.destroy();
    throw error;
  }
}

/** Tells `lost` once, with the reason, when the socket ends for any cause. */
export function watchSocket(name: string, socket: Socket, lost: (reason: unknown) => void): void {
  socket.on('error', (error) => lost(deviceLost(name, `failed (${reasonOf(error)})`)));
  socket.on('end', () => lost(deviceLost(name, 'was closed by the other side')));
  socket.on('close', () => lost(deviceLost(name, 'was closed')));
}

export async function writeSocket(
  name: string,
  socket: Socket,
  bytes: Uint8Array,
  signal?: AbortSignal,
): Promise<void> {
  if (socket.destroyed || !socket.writable) throw deviceLost(name, 'was closed');
  const late = () => deviceLost(name, 'takes no more bytes');
  await bounded<void>({ timeoutMs: WRITE_MS, late, signal }, (resolve, reject) => {
    socket.write(bytes, (error) =>
      error ? reject(deviceLost(name, `failed (${reasonOf(error)})`)) : resolve(),
    );
  });
}

/** Sends what is queued and closes; never waits for a peer that does not answer. */
export function closeSocket(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) {
      resolve();
      return;
    }
    const timer = setTimeout(() => socket.destroy(), 200);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    socket.end();
    socket.resume();
  });
}
