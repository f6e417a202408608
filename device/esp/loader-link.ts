import { discardInput, type Transport } from '../transport/transport.ts';
import { LoaderFault } from './loader-fault.ts';
import {
  COMMAND,
  type Command,
  decodePacket,
  encodePacket,
  GREETING,
  type Packet,
  REQUEST,
  RESPONSE,
  SYNC_BODY,
} from './protocol.ts';
import { END, encodeFrame, SlipDecoder } from './slip.ts';
import type { LoaderTimeouts } from './timeouts.ts';

/** The longest thing that is said to us is a packet of flash. */
const FRAME_LIMIT = 4096 + 64;
const KEPT_FOR_DIAGNOSIS = 512;
// Start bit, eight data bits, stop bit.
const BITS_PER_BYTE = 10;
/** A single late answer is forgotten after some dozens of punctual ones. */
const SLOWEST_DECAY = 0.95;
/** A status says whether it failed, and why. ROMs have two bytes more, without a meaning, but not behind every answer. */
const STATUS_BYTES = [2, 4];
const FRAMES_TO_LOOK_AT = 64;

export interface RequestOptions {
  /** Of the data that the command carries. */
  readonly sum?: number;
  /** How many bytes the answer has before its status; one of several where chips differ. */
  readonly resultBytes?: number | readonly number[];
  /** What the chip may need beside the time on the wire. */
  readonly workMs?: number;
}

export interface LoaderAnswer {
  readonly value: number;
  readonly result: Uint8Array;
}

/** Single exchanges with the ROM's loader or the stub, each tried once; a LoaderFault says how it failed. */
export class LoaderLink {
  readonly transport: Transport;
  /** Whether the stub answers, whose status is shorter. */
  isStub = false;
  baud: number;
  /** When the last byte arrived, on the transport's clock. */
  heardAt: number;
  private readonly timeouts: LoaderTimeouts;
  private readonly signal: AbortSignal | undefined;
  private readonly decoder = new SlipDecoder(FRAME_LIMIT);
  private frames: Uint8Array[] = [];
  private recent: Uint8Array = new Uint8Array(0);
  private slowestMs: number | undefined;
  private silences = 0;
  private firstSyncAt: number | undefined;

  constructor(transport: Transport, baud: number, timeouts: LoaderTimeouts, signal?: AbortSignal) {
    this.transport = transport;
    this.baud = baud;
    this.timeouts = timeouts;
    this.signal = signal;
    this.heardAt = transport.clock.now();
  }

  /** The last bytes received, for messages. */
  get lastHeard(): Uint8Array {
    return this.recent;
  }

  /** How long an answer may take: a few times the slowest so far. */
  get patienceMs(): number {
    const { answerMs, shortestAnswerMs } = this.timeouts;
    if (this.slowestMs === undefined) return answerMs;
    return Math.min(answerMs, Math.max(shortestAnswerMs, 4 * this.slowestMs));
  }

  /** For a line that has become slower than it was. */
  waitLonger(): void {
    if (this.slowestMs !== undefined) this.slowestMs = Math.max(2 * this.slowestMs, 10);
  }

  async setBaud(baud: number): Promise<void> {
    await this.transport.setBaud(baud, 'none');
    this.baud = baud;
  }

  async request(command: Command, body: Uint8Array, options: RequestOptions = {}): Promise<LoaderAnswer> {
    await this.discard();
    const sent = await this.send(
      encodePacket({ direction: REQUEST, command, value: options.sum ?? 0, body }),
    );
    const until = sent + this.patienceMs + (options.workMs ?? 0);
    for (;;) {
      const frame = await this.nextFrame(until);
      if (!frame) return this.fail();
      const packet = decodePacket(frame);
      const answer = packet && this.answerOf(packet, command, options);
      if (!answer) continue;
      this.note(sent, options.workMs);
      return answer;
    }
  }

  /** One sync. Its answers tell whether the stub is there, which says 0 where the ROM does not. */
  async sync(): Promise<boolean> {
    await this.discard();
    const sent = await this.send(
      encodePacket({ direction: REQUEST, command: COMMAND.sync, value: 0, body: SYNC_BODY }),
    );
    this.firstSyncAt ??= sent;
    const stubs: boolean[] = [];
    const known = this.slowestMs === undefined ? 0 : this.patienceMs;
    let until = sent + Math.max(this.timeouts.syncMs, known);
    for (let seen = 0; seen < FRAMES_TO_LOOK_AT; seen++) {
      const frame = await this.nextFrame(until);
      if (!frame) break;
      const packet = decodePacket(frame);
      if (packet?.direction !== RESPONSE || packet.command !== COMMAND.sync) continue;
      stubs.push(packet.value === 0);
      // The answers of earlier syncs, which were not waited for long enough, are on their way too.
      until = this.transport.clock.now() + Math.max(this.timeouts.quietMs, this.syncDelayMs(sent));
    }
    if (stubs.length === 0) {
      this.silences++;
      return false;
    }
    this.silences = 0;
    this.firstSyncAt = undefined;
    this.isStub = 2 * stubs.filter((stub) => stub).length > stubs.length;
    return true;
  }

  /** The stub's first word; false when it does not come. */
  async hearGreeting(): Promise<boolean> {
    const until = this.transport.clock.now() + this.timeouts.answerMs;
    for (;;) {
      const frame = await this.nextFrame(until);
      if (!frame) return false;
      if (Buffer.compare(frame, GREETING) === 0) return true;
    }
  }

  /** A frame that is not an answer, such as a packet of flash; undefined when none came in time. */
  nextData(workMs: number): Promise<Uint8Array | undefined> {
    return this.nextFrame(this.transport.clock.now() + this.patienceMs + workMs);
  }

  /** A frame without a header, as acknowledgements of packets are. */
  async sendBare(content: Uint8Array): Promise<void> {
    await this.send(content);
  }

  /** A command whose answer nobody waits for. */
  async tell(command: Command, body: Uint8Array): Promise<void> {
    await this.discard();
    await this.send(encodePacket({ direction: REQUEST, command, value: 0, body }));
  }

  /** Listens until nothing came for a moment; what was said, at most the last part of it. */
  async listen(pauseMs: number, limitMs: number): Promise<Uint8Array> {
    const until = this.transport.clock.now() + limitMs;
    let heard: Uint8Array = new Uint8Array(0);
    for (;;) {
      const left = until - this.transport.clock.now();
      const bytes = left > 0 ? await this.read(Math.min(pauseMs, left)) : new Uint8Array(0);
      if (bytes.length === 0) return heard;
      heard = Buffer.concat([heard, bytes]).subarray(-KEPT_FOR_DIAGNOSIS);
    }
  }

  async discard(): Promise<void> {
    this.frames = [];
    this.decoder.reset();
    const last = await discardInput(this.transport, this.signal);
    if (last.length > 0) this.remember(last);
  }

  /** When the bytes will be on the other side. */
  private async send(content: Uint8Array): Promise<number> {
    const frame = encodeFrame(content);
    // A stub that lost a delimiter takes ends for beginnings until it gets one more. An answer that was lost is the
    // more common reason for a silence, so that the second one in a row is taken as a sign of it, the fourth, ...
    const oneMore = this.silences > 0 && this.silences % 2 === 0;
    const bytes = oneMore ? Buffer.concat([Uint8Array.of(END), frame]) : frame;
    await this.transport.write(bytes, this.signal);
    return this.transport.clock.now() + (bytes.length * BITS_PER_BYTE * 1000) / this.baud;
  }

  private fail(): never {
    this.silences++;
    throw new LoaderFault('silence');
  }

  /** How late an answer may be, if it is that to the first of several syncs. */
  private syncDelayMs(sent: number): number {
    const first = this.firstSyncAt ?? sent;
    return first === sent ? 0 : Math.min(this.timeouts.answerMs, this.transport.clock.now() - first);
  }

  /**
   * Undefined when the packet is no answer to this. Throws when it says no. The status stands behind the result and
   * has either length, whoever speaks; an answer of any other length was damaged.
   */
  private answerOf(packet: Packet, command: Command, options: RequestOptions): LoaderAnswer | undefined {
    if (packet.direction !== RESPONSE) return undefined;
    const { body, value } = packet;
    // A command whose number was damaged on the way is refused under that number.
    if (STATUS_BYTES.includes(body.length) && body[0] !== 0)
      throw new LoaderFault('refused', (body[0]! << 8) | body[1]!);
    if (packet.command !== command) return undefined;
    const sizes = [options.resultBytes ?? 0].flat();
    const size = sizes.find((bytes) => STATUS_BYTES.includes(body.length - bytes));
    if (size === undefined) return undefined;
    if (body[size] !== 0 || body[size + 1] !== 0)
      throw new LoaderFault('refused', (body[size]! << 8) | body[size + 1]!);
    return { value, result: body.slice(0, size) };
  }

  private note(sent: number, workMs = 0): void {
    this.silences = 0;
    if (workMs > 0) return;
    const delay = this.transport.clock.now() - sent;
    this.slowestMs = Math.max(SLOWEST_DECAY * (this.slowestMs ?? 0), delay);
  }

  private async nextFrame(until: number): Promise<Uint8Array | undefined> {
    while (this.frames.length === 0) {
      const left = until - this.transport.clock.now();
      if (left <= 0) return undefined;
      const bytes = await this.read(left);
      if (bytes.length === 0) return undefined;
      this.frames = this.decoder.decode(bytes);
    }
    return this.frames.shift();
  }

  private async read(timeoutMs: number): Promise<Uint8Array> {
    const bytes = await this.transport.read(timeoutMs, this.signal);
    if (bytes.length > 0) this.remember(bytes);
    return bytes;
  }

  private remember(bytes: Uint8Array): void {
    this.heardAt = this.transport.clock.now();
    this.recent = Buffer.concat([this.recent, bytes]).subarray(-KEPT_FOR_DIAGNOSIS);
  }
}
