import { createServer, type Server, type Socket } from 'node:net';
import { listenFailed } from '../errors.ts';
import type { Parity, Signals } from '../transport/transport.ts';
import { openPty, type Pty } from './pty.ts';
import { Rfc2217Session } from './rfc2217-session.ts';

/** A board with a serial port, as the other end of its cable sees it. */
export interface SerialBoard {
  readonly signals: Signals;
  setSignals(signals: Signals): void;
  /** Where the other side cannot say, as on a plain socket, it is taken to be right. */
  setParity(parity: Parity | 'other'): void;
  /** The client's rate, where it can say; boards that do not compare rates do without. */
  setBaud?(baud: number): void;
  /** The client is gone, and with it whatever held the modem lines. */
  disconnected(): void;
  /** False when the board is slow to take it: then `onDrain` says when to go on. */
  receive(bytes: Uint8Array): boolean;
  onDrain(call: () => void): void;
}

/** What every kind of virtual board lets its starter choose. */
export interface ServeOptions {
  /** Offer a pty as well, by the program socat at this path; it has no modem lines. */
  readonly pty?: string | undefined;
  /** TCP port of the RFC 2217 server; any free one when 0 or not given. The plain socket takes another free one. */
  readonly port?: number;
  readonly host?: string;
  readonly signal?: AbortSignal;
}

/** A client that does not read loses bytes beyond this, as it would with a real UART. */
const OUTPUT_LIMIT = 1024 * 1024;

type Listener = (bytes: Uint8Array) => void;

/** The one wire of a board: at most one socket at a time, and the pty, which is always there. */
export class Wire {
  private readonly listeners = new Set<Listener>();
  private client: Socket | undefined;

  send(bytes: Uint8Array): void {
    for (const listener of this.listeners) listener(bytes);
  }

  add(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** False when another client has the port: a serial port has one user. */
  claim(socket: Socket): boolean {
    if (this.client && !this.client.destroyed) return false;
    this.client = socket;
    return true;
  }

  drop(): void {
    this.client?.destroy();
  }
}

/** What has to be undone, last first. */
export class Cleanup {
  private readonly steps: (() => void | Promise<void>)[] = [];
  private ending: Promise<void> | undefined;

  add(step: () => void | Promise<void>): void {
    this.steps.unshift(step);
  }

  /** Called again, it waits for the same end: whoever closes last may end the process. */
  run(): Promise<void> {
    this.ending ??= this.undo();
    return this.ending;
  }

  private async undo(): Promise<void> {
    for (const step of this.steps) await step();
  }
}

function writeLimited(socket: Socket, bytes: Uint8Array): void {
  if (socket.writable && socket.writableLength < OUTPUT_LIMIT) socket.write(bytes);
}

/** Hands bytes to the board as fast as it takes them. */
function feed(board: SerialBoard, socket: Socket, bytes: Uint8Array): void {
  if (board.receive(bytes)) return;
  socket.pause();
  board.onDrain(() => socket.resume());
}

function serveRfc2217(board: SerialBoard, wire: Wire, socket: Socket): void {
  const session = new Rfc2217Session(
    {
      signals: board.signals,
      data: (bytes) => feed(board, socket, bytes),
      setSignals: (signals) => board.setSignals(signals),
      setParity: (parity) => board.setParity(parity),
      setBaud: (baud) => board.setBaud?.(baud),
    },
    (bytes) => writeLimited(socket, bytes),
  );
  const remove = wire.add((bytes) => session.write(bytes));
  socket.on('data', (bytes) => session.receive(bytes));
  socket.on('close', () => {
    remove();
    board.disconnected();
  });
}

function serveTcp(board: SerialBoard, wire: Wire, socket: Socket): void {
  const remove = wire.add((bytes) => writeLimited(socket, bytes));
  board.setParity('even');
  socket.on('data', (bytes) => feed(board, socket, bytes));
  socket.on('close', remove);
}

function listen(wire: Wire, host: string, port: number, serve: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ noDelay: true }, (socket) => {
      socket.on('error', () => socket.destroy());
      if (wire.claim(socket)) serve(socket);
      else socket.destroy();
    });
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(listenFailed(port, error.code ?? error.message)),
    );
    server.listen({ host, port }, () => resolve(server));
  });
}

const portOf = (server: Server): number => (server.address() as { port: number }).port;

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

async function attachPty(
  socat: string,
  board: SerialBoard,
  wire: Wire,
  cleanup: Cleanup,
  signal?: AbortSignal,
): Promise<Pty> {
  const pty = await openPty(socat, (bytes) => void board.receive(bytes), signal);
  cleanup.add(() => pty.close());
  wire.add((bytes) => pty.write(bytes));
  return pty;
}

/**
 * Offers a board's serial port: returns `rfc2217://...` first, then `tcp://...`, then the pty if one is wanted, all the
 * same wire. What it opens is closed by `cleanup`. Errors: E_LISTEN, E_PTY.
 */
export async function serveBoard(
  board: SerialBoard,
  wire: Wire,
  options: ServeOptions,
  cleanup: Cleanup,
): Promise<string[]> {
  const host = options.host ?? '127.0.0.1';
  const rfc2217 = await listen(wire, host, options.port ?? 0, (socket) => serveRfc2217(board, wire, socket));
  cleanup.add(() => closeServer(rfc2217));
  const tcp = await listen(wire, host, 0, (socket) => serveTcp(board, wire, socket));
  cleanup.add(() => closeServer(tcp));
  cleanup.add(() => wire.drop());
  const pty = options.pty ? await attachPty(options.pty, board, wire, cleanup, options.signal) : undefined;
  const name = host.includes(':') ? `[${host}]` : host;
  return [`rfc2217://${name}:${portOf(rfc2217)}`, `tcp://${name}:${portOf(tcp)}`, ...(pty ? [pty.path] : [])];
}
