import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listenFailed } from '../errors.ts';
import type { SectorRun } from '../sectors.ts';
import { EmulatedChip } from './emulated-chip.ts';
import { openPty, type Pty } from './pty.ts';
import { requireQemu } from './qemu-process.ts';
import { Rfc2217Session } from './rfc2217-session.ts';
import { Stm32Board } from './stm32-board.ts';

export interface VirtualStm32Options {
  /** Keeps the flash between runs; made when missing. Without it the flash is thrown away at the end. */
  readonly flashFile?: string;
  readonly flashBytes: number;
  readonly sramBytes: number;
  /** What the boot loader answers to Get ID. */
  readonly chipId: number;
  readonly sectors?: readonly SectorRun[];
  /** Name or path of the QEMU program, and its name for the machine with this chip. */
  readonly qemuBinary: string;
  readonly qemuMachine: string;
  /** Offer a pty as well. It has no modem lines, so `boot` decides what starts. */
  readonly pty?: boolean;
  /** What the board starts with; `flash` when not given. */
  readonly boot?: 'bootloader' | 'flash';
  /** TCP port of the RFC 2217 server; any free one when 0 or not given. The plain socket takes another free one. */
  readonly port?: number;
  readonly host?: string;
  readonly signal?: AbortSignal;
  /** Told what a person with the board on the desk would see, such as a lock-up. */
  readonly onNote?: (text: string) => void;
}

export interface VirtualBoard {
  /** `rfc2217://...` first, then `tcp://...`, then the pty if there is one: all the same wire. */
  readonly ports: readonly string[];
  readonly flashFile: string;
  /** Ends everything, QEMU too; may be called twice. */
  close(): Promise<void>;
}

/** A client that does not read loses bytes beyond this, as it would with a real UART. */
const OUTPUT_LIMIT = 1024 * 1024;

type Listener = (bytes: Uint8Array) => void;

/** The one wire of the board: at most one socket at a time, and the pty, which is always there. */
class Wire {
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

function writeLimited(socket: Socket, bytes: Uint8Array): void {
  if (socket.writable && socket.writableLength < OUTPUT_LIMIT) socket.write(bytes);
}

/** Hands bytes to the board as fast as it takes them. */
function feed(board: Stm32Board, socket: Socket, bytes: Uint8Array): void {
  if (board.receive(bytes)) return;
  socket.pause();
  board.onDrain(() => socket.resume());
}

function serveRfc2217(board: Stm32Board, wire: Wire, socket: Socket): void {
  const session = new Rfc2217Session(
    {
      signals: board.signals,
      data: (bytes) => feed(board, socket, bytes),
      setSignals: (signals) => board.setSignals(signals),
      setParity: (parity) => board.setParity(parity),
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

function serveTcp(board: Stm32Board, wire: Wire, socket: Socket): void {
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

/** What has to be undone, last first. */
class Cleanup {
  private steps: (() => void | Promise<void>)[] = [];

  add(step: () => void | Promise<void>): void {
    this.steps.unshift(step);
  }

  async run(): Promise<void> {
    const steps = this.steps;
    this.steps = [];
    for (const step of steps) await step();
  }
}

function flashFileFor(options: VirtualStm32Options, cleanup: Cleanup): string {
  if (options.flashFile !== undefined) return options.flashFile;
  const folder = mkdtempSync(join(tmpdir(), 'tinyml-board-'));
  cleanup.add(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'flash.bin');
}

/**
 * Starts an emulated STM32F4 board: its USART boot loader (AN3155) over a flash in a file, and QEMU for what the flash
 * holds, behind RFC 2217, plain TCP and, on request, a pty.
 * Errors: E_QEMU_MISSING, E_SOCAT_MISSING, E_PTY, E_FLASH_FILE, E_LISTEN.
 */
export async function startVirtualStm32(options: VirtualStm32Options): Promise<VirtualBoard> {
  options.signal?.throwIfAborted();
  const qemuBinary = requireQemu(options.qemuBinary);
  const cleanup = new Cleanup();
  try {
    return await assemble(options, qemuBinary, cleanup);
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}

async function assemble(
  options: VirtualStm32Options,
  qemuBinary: string,
  cleanup: Cleanup,
): Promise<VirtualBoard> {
  const host = options.host ?? '127.0.0.1';
  const flashFile = flashFileFor(options, cleanup);
  const chip = new EmulatedChip({ ...options, flashFile });
  cleanup.add(() => chip.close());
  const wire = new Wire();
  const board = new Stm32Board({
    chip,
    chipId: options.chipId,
    flashFile,
    qemuBinary,
    qemuMachine: options.qemuMachine,
    onOutput: (bytes) => wire.send(bytes),
    onNote: options.onNote ?? (() => {}),
  });
  cleanup.add(() => board.close());

  const rfc2217 = await listen(wire, host, options.port ?? 0, (socket) => serveRfc2217(board, wire, socket));
  cleanup.add(() => closeServer(rfc2217));
  const tcp = await listen(wire, host, 0, (socket) => serveTcp(board, wire, socket));
  cleanup.add(() => closeServer(tcp));
  cleanup.add(() => wire.drop());
  const pty = options.pty ? await attachPty(board, wire, cleanup, options.signal) : undefined;

  board.reset(options.boot ?? 'flash');
  const close = () => cleanup.run();
  options.signal?.addEventListener('abort', close, { once: true });
  const name = host.includes(':') ? `[${host}]` : host;
  return {
    ports: [
      `rfc2217://${name}:${portOf(rfc2217)}`,
      `tcp://${name}:${portOf(tcp)}`,
      ...(pty ? [pty.path] : []),
    ],
    flashFile,
    close,
  };
}

async function attachPty(
  board: Stm32Board,
  wire: Wire,
  cleanup: Cleanup,
  signal?: AbortSignal,
): Promise<Pty> {
  const pty = await openPty((bytes) => void board.receive(bytes), signal);
  cleanup.add(() => pty.close());
  wire.add((bytes) => pty.write(bytes));
  return pty;
}
