import { discardInput, type Transport } from './transport.ts';

const KEPT_FOR_DIAGNOSIS = 64;

/** Takes single bytes or exact counts from a transport, whose reads come in chunks of any size. */
export class ByteReader {
  /** When the last byte arrived, on the transport's clock. */
  heardAt: number;
  private readonly transport: Transport;
  private readonly signal: AbortSignal | undefined;
  private buffer: Uint8Array = new Uint8Array(0);
  private recent: Uint8Array = new Uint8Array(0);

  constructor(transport: Transport, signal: AbortSignal | undefined) {
    this.transport = transport;
    this.signal = signal;
    this.heardAt = transport.clock.now();
  }

  /** The last bytes received, for messages. */
  get lastHeard(): Uint8Array {
    return this.recent;
  }

  /** Undefined when no byte came in time. */
  async byte(timeoutMs: number): Promise<number | undefined> {
    if (this.buffer.length === 0) await this.fill(timeoutMs);
    const first = this.buffer[0];
    if (first !== undefined) this.buffer = this.buffer.subarray(1);
    return first;
  }

  /** Exactly `count` bytes, or those that came before a pause of `pauseMs` or the end of `limitMs`. */
  async exactly(count: number, pauseMs: number, limitMs: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(count);
    const until = this.transport.clock.now() + limitMs;
    let filled = 0;
    while (filled < count) {
      const left = until - this.transport.clock.now();
      if (this.buffer.length === 0) await this.fill(Math.min(pauseMs, left));
      if (this.buffer.length === 0) break;
      const part = this.buffer.subarray(0, count - filled);
      bytes.set(part, filled);
      filled += part.length;
      this.buffer = this.buffer.subarray(part.length);
    }
    return bytes.subarray(0, filled);
  }

  async discard(): Promise<void> {
    this.buffer = new Uint8Array(0);
    const last = await discardInput(this.transport, this.signal);
    if (last.length > 0) this.note(last);
  }

  private async fill(timeoutMs: number): Promise<void> {
    this.buffer = await this.transport.read(Math.max(0, timeoutMs), this.signal);
    if (this.buffer.length > 0) this.note(this.buffer);
  }

  private note(bytes: Uint8Array): void {
    this.heardAt = this.transport.clock.now();
    this.recent = bytes.subarray(-KEPT_FOR_DIAGNOSIS);
  }
}
