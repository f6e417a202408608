import type { Socket } from 'node:net';
import { systemClock } from '../clock.ts';
import { notRfc2217, portFailed } from '../errors.ts';
import { bounded } from './bounded.ts';
import { ByteQueue } from './byte-queue.ts';
import { closeSocket, connectSocket, watchSocket, writeSocket } from './socket-connection.ts';
import {
  ANSWER,
  BINARY,
  baudValue,
  COM_PORT,
  CONTROL,
  comPortCommand,
  DO,
  DONT,
  escapeData,
  negotiation,
  PARITY,
  PURGE_DATA,
  SET_BAUDRATE,
  SET_CONTROL,
  SET_DATASIZE,
  SET_PARITY,
  SET_STOPSIZE,
  SUPPRESS_GO_AHEAD,
  TelnetDecoder,
  WILL,
  WONT,
} from './telnet.ts';
import type { Parity, Signals, Transport } from './transport.ts';

const ANSWER_MS = 3_000;
const PURGE_BOTH = 3;
const OURS = new Set([BINARY, SUPPRESS_GO_AHEAD, COM_PORT]);

interface Expected {
  readonly command: number;
  resolve(): void;
  reject(reason: unknown): void;
}

/** The client side of RFC 2217: a serial port, with its modem lines, at the other end of a socket. */
export class Rfc2217Transport implements Transport {
  readonly clock = systemClock;
  readonly hasSignals = true;
  readonly name: string;
  private readonly socket: Socket;
  private readonly queue: ByteQueue;
  private expected: Expected[] = [];
  private lost: unknown;
  private handshaken: ((agreed: boolean) => void) | undefined;

  private constructor(name: string, socket: Socket) {
    this.name = name;
    this.socket = socket;
    this.queue = new ByteQueue(socket);
    const decoder = new TelnetDecoder({
      data: (bytes) => this.queue.push(bytes),
      negotiate: (verb, option) => this.negotiate(verb, option),
      subnegotiation: (bytes) => this.answered(bytes),
    });
    socket.on('data', (bytes) => decoder.decode(bytes));
    watchSocket(name, socket, (reason) => this.fail(reason));
  }

  static async open(
    name: string,
    host: string,
    port: number,
    baud: number,
    parity: Parity,
    signal?: AbortSignal,
  ): Promise<Rfc2217Transport> {
    const transport = new Rfc2217Transport(name, await connectSocket(name, host, port, signal));
    try {
      await transport.handshake(signal);
      await transport.setBaud(baud, parity);
      await transport.command(SET_CONTROL, Uint8Array.of(CONTROL.noFlow));
      await transport.purge();
      return transport;
    } catch (error) {
      await transport.close();
      throw error;
    }
  }

  read(timeoutMs: number, signal?: AbortSignal): Promise<Uint8Array> {
    return this.queue.take(timeoutMs, signal);
  }

  write(bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    return writeSocket(this.name, this.socket, escapeData(bytes), signal);
  }

  async setBaud(baud: number, parity?: Parity): Promise<void> {
    const commands = [
      this.command(SET_BAUDRATE, baudValue(baud)),
      this.command(SET_DATASIZE, Uint8Array.of(8)),
      this.command(SET_STOPSIZE, Uint8Array.of(1)),
    ];
    if (parity !== undefined) commands.push(this.command(SET_PARITY, Uint8Array.of(PARITY[parity])));
    await Promise.all(commands);
  }

  /** RTS goes out before DTR, so a boot pin on RTS is stable when reset on DTR ends. */
  async setSignals(signals: Signals): Promise<void> {
    await Promise.all([
      this.command(SET_CONTROL, Uint8Array.of(signals.rts ? CONTROL.rtsOn : CONTROL.rtsOff)),
      this.command(SET_CONTROL, Uint8Array.of(signals.dtr ? CONTROL.dtrOn : CONTROL.dtrOff)),
    ]);
  }

  /** Empties the buffers on both sides: what was said to an earlier client is not for us. */
  private async purge(): Promise<void> {
    await this.command(PURGE_DATA, Uint8Array.of(PURGE_BOTH));
    this.queue.clear();
  }

  close(): Promise<void> {
    return closeSocket(this.socket);
  }

  private async handshake(signal?: AbortSignal): Promise<void> {
    const late = () => notRfc2217(this.name);
    await bounded<void>({ timeoutMs: ANSWER_MS, late, signal }, (resolve, reject) => {
      this.handshaken = (agreed) => (agreed ? resolve() : reject(this.lost ?? late()));
      for (const option of OURS) {
        this.send(negotiation(WILL, option));
        this.send(negotiation(DO, option));
      }
    });
    this.queue.clear();
  }

  private negotiate(verb: number, option: number): void {
    if (option === COM_PORT && (verb === DO || verb === DONT)) this.handshaken?.(verb === DO);
    if (OURS.has(option)) return;
    if (verb === DO) this.send(negotiation(WONT, option));
    if (verb === WILL) this.send(negotiation(DONT, option));
  }

  private async command(command: number, value: Uint8Array): Promise<void> {
    if (this.lost !== undefined) throw this.lost;
    let entry: Expected | undefined;
    const cleanup = () => {
      this.expected = this.expected.filter((other) => other !== entry);
    };
    const late = () => portFailed(this.name, `the RFC 2217 server does not answer command ${command}`);
    await bounded<void>({ timeoutMs: ANSWER_MS, late, cleanup }, (resolve, reject) => {
      entry = { command: command + ANSWER, resolve, reject };
      this.expected.push(entry);
      this.send(comPortCommand(command, value));
    });
  }

  private answered(bytes: Uint8Array): void {
    if (bytes[0] !== COM_PORT) return;
    this.expected.find((entry) => entry.command === bytes[1])?.resolve();
  }

  private fail(reason: unknown): void {
    this.lost ??= reason;
    this.queue.fail(this.lost);
    this.handshaken?.(false);
    for (const entry of [...this.expected]) entry.reject(this.lost);
  }

  private send(bytes: Uint8Array): void {
    if (this.socket.writable) this.socket.write(bytes);
  }
}
