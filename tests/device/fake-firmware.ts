import { crc32 } from '../../common/crc32.ts';
import { ANSWER_BIT, encodeFrame, type Frame, FrameDecoder, REQUEST } from '../../device/bench/frames.ts';
import type { SimulatedClock, SimulatedPeer } from '../../device/transport/simulated-link.ts';
import type { Signals } from '../../device/transport/transport.ts';

export const MODEL_HASH = '0011223344556677';

/** What a lying or failing board does differently. */
export interface Behaviour {
  hello?: (body: Uint8Array) => Uint8Array;
  /** Ticks of each inference. */
  ticks?: (run: number) => bigint;
  /** How long an inference takes on the simulated clock. */
  runMs?: number;
  /** Changes the frame that answers a request; several, or none. */
  answer?: (frame: Frame, request: Frame) => readonly Frame[];
  /** Put before every answer. */
  log?: string;
  layerTicks?: number[];
}

const u32 = (...values: number[]) => new Uint8Array(Uint32Array.from(values).buffer);

const INPUT_BYTES = 2_500;
const OUTPUT_BYTES = 12;

/** The protocol's other side in memory: a "model" whose output is the sum of its input, in twelve bytes. */
export class FakeFirmware implements SimulatedPeer {
  /** Inferences done, whatever the host made of the answers. */
  inferences = 0;
  crashed = false;
  private readonly behaviour: Behaviour;
  private readonly clock: SimulatedClock | undefined;
  private decoder = new FrameDecoder();
  private input = new Uint8Array(INPUT_BYTES);
  private output = new Uint8Array(OUTPUT_BYTES);
  private last: { request: Buffer; answer: Uint8Array } | undefined;
  private held = false;
  private saying: Uint8Array[] = [];

  constructor(behaviour: Behaviour = {}, clock?: SimulatedClock) {
    this.behaviour = behaviour;
    this.clock = clock;
  }

  setSignals(signals: Signals): void {
    if (this.held && !signals.dtr) this.start();
    this.held = signals.dtr;
  }

  /** As after a reset: says ready. */
  start(): void {
    this.crashed = false;
    this.decoder = new FrameDecoder();
    this.saying = [Buffer.from('boot log\r\n'), encodeFrame(0xf1, 0, this.hello())];
  }

  crash(cfsr: number): void {
    this.crashed = true;
    this.saying.push(encodeFrame(0xf0, 0, this.registers(cfsr)));
  }

  unasked(): Uint8Array {
    return Buffer.concat(this.saying.splice(0));
  }

  receive(bytes: Uint8Array): Uint8Array {
    if (this.held) return new Uint8Array(0);
    // What it had to say already comes first, as on a wire.
    return Buffer.concat([this.unasked(), this.reply(bytes)]);
  }

  private reply(bytes: Uint8Array): Uint8Array {
    if (this.crashed) return encodeFrame(0xf0, 0, this.registers(1 << 25));
    const answers = this.decoder.decode(bytes).flatMap((request) => this.take(request));
    const log = answers.length > 0 ? Buffer.from(this.behaviour.log ?? '') : new Uint8Array(0);
    return Buffer.concat([log, ...answers.map(({ type, seq, body }) => encodeFrame(type, seq, body))]);
  }

  private take(request: Frame): readonly Frame[] {
    const key = Buffer.from([request.type, request.seq, ...request.body]);
    const repeated = this.last !== undefined && Buffer.compare(this.last.request, key) === 0;
    const body = repeated ? this.last!.answer : this.work(request);
    if (this.crashed) return [];
    const frame =
      typeof body === 'number'
        ? { type: 0xff, seq: request.seq, body: Uint8Array.of(request.type, body) }
        : { type: request.type | ANSWER_BIT, seq: request.seq, body };
    this.last = typeof body === 'number' ? undefined : { request: key, answer: body };
    return this.behaviour.answer?.(frame, request) ?? [frame];
  }

  /** The body of the answer, or the reason for refusing. */
  private work(request: Frame): Uint8Array | number {
    const view = new DataView(request.body.buffer, request.body.byteOffset, request.body.byteLength);
    switch (request.type) {
      case REQUEST.hello:
        return this.hello();
      case REQUEST.load: {
        const part = request.body.subarray(5);
        const offset = view.getUint32(1, true);
        if (offset + part.length > INPUT_BYTES) return 3;
        this.input.set(part, offset);
        return u32(crc32(part));
      }
      case REQUEST.run:
        return this.run(request.body);
      case REQUEST.read: {
        const offset = view.getUint32(1, true);
        return this.output.slice(offset, offset + view.getUint16(5, true));
      }
      case REQUEST.profile:
        this.infer();
        return Uint8Array.of(...request.body, 3, 0);
      case REQUEST.ticks:
        return Uint8Array.of(...request.body, ...u32(...(this.behaviour.layerTicks ?? [100, 200, 300])));
      case REQUEST.hashes:
        return Uint8Array.of(...request.body, ...u32(1, 2, 0xffffffff));
      case REQUEST.memory:
        return u32(100, 2_000, 4_096, 512, 30_000, 77);
      default:
        return 1;
    }
  }

  private run(body: Uint8Array): Uint8Array {
    this.infer();
    const ticks = new Uint8Array(8);
    const value = this.behaviour.ticks?.(this.inferences) ?? BigInt(1_000_000 + this.inferences);
    new DataView(ticks.buffer).setBigUint64(0, value & 0xffffffffffffffffn, true);
    return Uint8Array.of(...body, ...ticks);
  }

  /** Uses the input up, as a model whose arena overlays it does. */
  private infer(): void {
    this.inferences++;
    this.clock?.advance(this.behaviour.runMs ?? 50);
    const sum = this.input.reduce((total, byte) => total + byte, 0);
    this.output = new Uint8Array(OUTPUT_BYTES).fill(sum & 0xff);
    this.input.fill(0xee);
  }

  private hello(): Uint8Array {
    const board = Buffer.from('fake-board');
    const body = Buffer.concat([
      Uint8Array.of(1, 0, 0, 0),
      u32(168_000_000, 168_000_000),
      Buffer.from(MODEL_HASH, 'hex'),
      Uint8Array.of(3, 0, 1, 1),
      u32(INPUT_BYTES, OUTPUT_BYTES),
      Uint8Array.of(board.length),
      board,
    ]);
    return this.behaviour.hello?.(body) ?? body;
  }

  private registers(cfsr: number): Uint8Array {
    return u32(
      0x08000123,
      0x08000fff,
      0x61000000,
      0x2001ff00,
      cfsr,
      0x40000000,
      0,
      0x60000000,
      1,
      2,
      3,
      4,
      5,
    );
  }
}
