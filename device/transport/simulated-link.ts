import type { Clock } from '../clock.ts';
import { deviceLost } from '../errors.ts';
import type { Parity, Signals, Transport } from './transport.ts';

/** The board's side of a simulated link: answers at once, in simulated time. */
export interface SimulatedPeer {
  /** The bytes it says after it got these. */
  receive(bytes: Uint8Array): Uint8Array;
  setSignals?(signals: Signals): void;
  /** The host's rate, for boards that compare it with their own. */
  setBaud?(baud: number): void;
  /** What it says unasked, asked for when the host begins and ends a wait with nothing on the way. */
  unasked?(): Uint8Array;
}

export type Direction = 'to board' | 'to host';

/** What becomes of one byte on the wire: nothing, itself, another, or several. */
export type FaultModel = (byte: number, direction: Direction) => readonly number[];

/** A clock that moves only when somebody waits or transmits. */
export class SimulatedClock implements Clock {
  private time = 0;

  now(): number {
    return this.time;
  }

  advance(ms: number): void {
    this.time += ms;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.time += ms;
  }
}

/** A small generator of random numbers in [0, 1), the same on every machine (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export type FaultKind = 'flip' | 'drop' | 'duplicate' | 'insert';

/** Each byte suffers one of `kinds` with probability `rate`. */
export function randomFaults(seed: number, rate: number, kinds: readonly FaultKind[]): FaultModel {
  const random = seededRandom(seed);
  return (byte) => {
    if (random() >= rate) return [byte];
    const kind = kinds[Math.floor(random() * kinds.length)]!;
    if (kind === 'drop') return [];
    if (kind === 'duplicate') return [byte, byte];
    if (kind === 'insert') return [Math.floor(random() * 256), byte];
    return [byte ^ (1 << Math.floor(random() * 8))];
  };
}

export interface SimulatedLinkOptions {
  readonly clock?: SimulatedClock;
  readonly faults?: FaultModel;
  /** How long answers stay on the way, in simulated milliseconds. */
  readonly latencyMs?: number;
  /** With this probability for each answer the line to the host pauses: what is due meanwhile arrives at its end. */
  readonly pauses?: { readonly seed: number; readonly rate: number; readonly ms: number };
  /** The link is cut after this many bytes in both directions together. */
  readonly cutAfterBytes?: number;
  readonly hasSignals?: boolean;
  readonly name?: string;
}

// Start bit, eight data bits, parity, stop bit.
const BITS_PER_BYTE = 11;
/** How many bytes a serial adapter hands over at once. */
const CHUNK_BYTES = 16;

/** A transport to a board inside this process, with a simulated clock and, on request, a bad cable. */
export class SimulatedLink implements Transport {
  readonly clock: SimulatedClock;
  readonly hasSignals: boolean;
  readonly name: string;
  /** Bytes that went over the wire in both directions, before faults. */
  bytesOnWire = 0;
  private readonly peer: SimulatedPeer;
  private readonly random: () => number;
  private readonly options: SimulatedLinkOptions;
  private arriving: { due: number; bytes: Uint8Array }[] = [];
  /** When the last byte written has left; the host does not wait for that, as with a buffered serial port. */
  private sentAt = 0;
  private pausedUntil = 0;
  private msPerByte = (BITS_PER_BYTE * 1000) / 115_200;

  constructor(peer: SimulatedPeer, options: SimulatedLinkOptions = {}) {
    this.peer = peer;
    this.options = options;
    this.random = seededRandom(options.pauses?.seed ?? 0);
    this.clock = options.clock ?? new SimulatedClock();
    this.hasSignals = options.hasSignals ?? true;
    this.name = options.name ?? 'simulated';
  }

  async read(timeoutMs: number, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    this.requireAlive();
    const until = this.clock.now() + Math.max(0, timeoutMs);
    this.ask();
    if (!this.arrivesBy(until)) {
      this.clock.advance(until - this.clock.now());
      this.ask();
    }
    if (!this.arrivesBy(until)) return new Uint8Array(0);
    const first = this.arriving.shift()!;
    this.clock.advance(Math.max(0, first.due - this.clock.now()));
    return first.bytes;
  }

  async write(bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.requireAlive();
    const through = this.pass(bytes, 'to board');
    this.sentAt = Math.max(this.clock.now(), this.sentAt) + bytes.length * this.msPerByte;
    if (through.length > 0) this.deliver(this.peer.receive(through));
    this.requireAlive();
  }

  async setBaud(baud: number, _parity?: Parity): Promise<void> {
    this.msPerByte = (BITS_PER_BYTE * 1000) / baud;
    this.peer.setBaud?.(baud);
  }

  async setSignals(signals: Signals): Promise<void> {
    this.requireAlive();
    if (this.hasSignals) this.peer.setSignals?.(signals);
  }

  async close(): Promise<void> {}

  private arrivesBy(time: number): boolean {
    const first = this.arriving[0];
    return first !== undefined && first.due <= time;
  }

  private ask(): void {
    if (this.peer.unasked && this.arriving.length === 0) this.deliver(this.peer.unasked());
  }

  private deliver(bytes: Uint8Array): void {
    this.maybePause();
    const free = Math.max(this.clock.now(), this.sentAt, this.pausedUntil, this.arriving.at(-1)?.due ?? 0);
    let due = free + (this.options.latencyMs ?? 0);
    for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
      const chunk = bytes.subarray(start, start + CHUNK_BYTES);
      due += chunk.length * this.msPerByte;
      const through = this.pass(chunk, 'to host');
      if (through.length > 0) this.arriving.push({ due, bytes: through });
    }
  }

  private maybePause(): void {
    const { pauses } = this.options;
    if (!pauses || this.clock.now() < this.pausedUntil || this.random() >= pauses.rate) return;
    this.pausedUntil = this.clock.now() + pauses.ms;
  }

  private pass(bytes: Uint8Array, direction: Direction): Uint8Array {
    const room = (this.options.cutAfterBytes ?? Number.POSITIVE_INFINITY) - this.bytesOnWire;
    this.bytesOnWire += bytes.length;
    const sent = room < bytes.length ? bytes.subarray(0, Math.max(0, room)) : bytes;
    const { faults } = this.options;
    if (!faults) return sent.slice();
    const through: number[] = [];
    for (const byte of sent) through.push(...faults(byte, direction));
    return Uint8Array.from(through);
  }

  private requireAlive(): void {
    if (this.bytesOnWire >= (this.options.cutAfterBytes ?? Number.POSITIVE_INFINITY)) {
      throw deviceLost(this.name, 'was unplugged');
    }
  }
}
