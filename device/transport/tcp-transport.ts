import type { Socket } from 'node:net';
import { systemClock } from '../clock.ts';
import { ByteQueue } from './byte-queue.ts';
import { closeSocket, connectSocket, watchSocket, writeSocket } from './socket-connection.ts';
import type { Transport } from './transport.ts';

/** A plain socket: bytes only, so baud rate and modem lines are somebody else's business. */
export class TcpTransport implements Transport {
  readonly clock = systemClock;
  readonly hasSignals = false;
  readonly name: string;
  private readonly socket: Socket;
  private readonly queue: ByteQueue;

  private constructor(name: string, socket: Socket) {
    this.name = name;
    this.socket = socket;
    this.queue = new ByteQueue(socket);
    socket.on('data', (bytes) => this.queue.push(bytes));
    watchSocket(name, socket, (reason) => this.queue.fail(reason));
  }

  static async open(name: string, host: string, port: number, signal?: AbortSignal): Promise<TcpTransport> {
    return new TcpTransport(name, await connectSocket(name, host, port, signal));
  }

  read(timeoutMs: number, signal?: AbortSignal): Promise<Uint8Array> {
    return this.queue.take(timeoutMs, signal);
  }

  write(bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    return writeSocket(this.name, this.socket, bytes, signal);
  }

  async setBaud(): Promise<void> {}

  async setSignals(): Promise<void> {}

  close(): Promise<void> {
    return closeSocket(this.socket);
  }
}
