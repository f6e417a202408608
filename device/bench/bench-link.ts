import { badAnswer, boardCrashed, boardRestarted, boardStuck, requestRefused } from '../errors.ts';
import type { Transport } from '../transport/transport.ts';
import { BodyReader } from './body-reader.ts';
import { isCrash, parseCrash } from './crash.ts';
import { ANSWER_BIT, encodeFrame, type Frame, FrameDecoder, READY, REFUSED } from './frames.ts';

const REASONS = new Map([
  [1, 'it does not know the request'],
  [2, 'the length is wrong'],
  [3, 'the index or range is wrong'],
  [4, "the model's own code failed"],
  [5, 'the board has no such sensor'],
]);

// Start bit, eight data bits, stop bit.
const BITS_PER_BYTE = 10;

/** Waits double with each repetition, this many times. */
const LONGEST_WAIT = 4;

export interface Exchange {
  readonly type: number;
  readonly body: Uint8Array;
  /** Completes "was asked to" and "did not". */
  readonly step: string;
  /** How long to wait before the request is repeated. */
  readonly repeatMs: number;
  /** How long to wait in all. */
  readonly totalMs: number;
}

export interface Answer {
  readonly body: Uint8Array;
  /** From the first sending of the request. */
  readonly elapsedMs: number;
  readonly repeats: number;
}

/** Requests and answers over a link that may lose, damage, repeat and delay them. */
export class BenchLink {
  readonly transport: Transport;
  /** Requests sent again because no answer came. */
  repeats = 0;
  bytesHeard = 0;
  private readonly decoder = new FrameDecoder();
  private readonly signal: AbortSignal | undefined;
  readonly msPerByte: number;
  private seq = 0;
  /** Frames that arrived together with an answer, after it. */
  private early: Frame[] = [];

  constructor(transport: Transport, baud: number, signal: AbortSignal | undefined) {
    this.transport = transport;
    this.signal = signal;
    this.msPerByte = (BITS_PER_BYTE * 1000) / baud;
  }

  get noise(): Uint8Array {
    return this.decoder.noise;
  }

  /** Frames that arrive within the time, at once when some did. */
  async listen(timeoutMs: number): Promise<Frame[]> {
    if (this.early.length > 0) return this.early.splice(0);
    const chunk = await this.transport.read(Math.max(0, timeoutMs), this.signal);
    this.bytesHeard += chunk.length;
    return this.decoder.decode(chunk);
  }

  async send(type: number, body: Uint8Array): Promise<number> {
    this.seq = (this.seq + 1) & 0xff;
    await this.transport.write(encodeFrame(type, this.seq, body), this.signal);
    return this.seq;
  }

  /** As `attempt`, but no answer in the whole time is E_BOARD_TIMEOUT. */
  async ask(exchange: Exchange): Promise<Answer> {
    const answer = await this.attempt(exchange);
    if (!answer) throw boardStuck(this.transport.name, exchange.step, exchange.totalMs);
    return answer;
  }

  /**
   * The answer to a request, which is repeated under the same number until it comes or time is up. Answers to
   * anything else are passed over. E_BOARD_CRASHED, E_BOARD_RESTARTED, E_REQUEST_REFUSED.
   */
  async attempt(exchange: Exchange): Promise<Answer | undefined> {
    const { clock } = this.transport;
    const started = clock.now();
    const seq = await this.send(exchange.type, exchange.body);
    const wire = encodeFrame(exchange.type, seq, exchange.body);
    const repeatMs = exchange.repeatMs + wire.length * this.msPerByte;
    for (let repeats = 0; ; repeats++) {
      const until = clock.now() + Math.min(repeatMs * 2 ** Math.min(repeats, LONGEST_WAIT), exchange.totalMs);
      const body = await this.await(exchange, seq, until);
      if (body) return { body, elapsedMs: clock.now() - started, repeats };
      if (clock.now() - started >= exchange.totalMs) return undefined;
      this.repeats++;
      await this.transport.write(wire, this.signal);
    }
  }

  private async await(exchange: Exchange, seq: number, until: number): Promise<Uint8Array | undefined> {
    const { clock } = this.transport;
    do {
      const frames = await this.listen(until - clock.now());
      for (const [i, frame] of frames.entries()) {
        this.checkUnasked(frame, exchange.step);
        if (frame.seq !== seq) continue;
        if (frame.type === REFUSED) this.refuse(frame.body, exchange);
        if (frame.type !== (exchange.type | ANSWER_BIT)) continue;
        this.early = frames.slice(i + 1);
        return frame.body;
      }
    } while (clock.now() < until);
    return undefined;
  }

  /** E_BOARD_CRASHED and E_BOARD_RESTARTED, for frames that a healthy board does not send by itself. */
  checkUnasked(frame: Frame, step: string): void {
    if (isCrash(frame.type)) throw this.crashed(frame, step);
    if (frame.type === READY) throw boardRestarted(this.transport.name, step);
  }

  private crashed({ type, body }: Frame, step: string): Error {
    const crash = parseCrash(type, body);
    if (!crash) return badAnswer(this.transport.name, step, `a crash report of ${body.length} bytes`);
    return boardCrashed(this.transport.name, crash.causes.join(', '), crash.lines);
  }

  private refuse(body: Uint8Array, exchange: Exchange): void {
    const reader = new BodyReader(body);
    const type = reader.u8();
    const reason = reader.u8();
    if (!reader.exact || type !== exchange.type) return;
    throw requestRefused(this.transport.name, exchange.step, REASONS.get(reason) ?? `reason ${reason}`);
  }
}
