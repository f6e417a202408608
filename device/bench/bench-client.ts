import {
  badAnswer,
  badTimer,
  boardSilent,
  excerpt,
  inputSizeWrong,
  wrongFirmware,
  wrongModel,
} from '../errors.ts';
import { discardInput, type Transport } from '../transport/transport.ts';
import { defaultWiring, holdInReset, releaseReset, type Wiring } from '../transport/wiring.ts';
import { type Answer, BenchLink } from './bench-link.ts';
import { BodyReader } from './body-reader.ts';
import { crc32 } from './crc32.ts';
import { ANSWER_BIT, BODY_LIMIT, PROTOCOL_VERSION, READY, REQUEST } from './frames.ts';
import { type BoardHello, helloVersion, parseHello } from './hello.ts';

/** All waits of the client, in milliseconds. */
export interface BenchTimeouts {
  readonly resetHoldMs: number;
  /** From reset to the first sensible word, all attempts together. */
  readonly connectMs: number;
  /** Between two hellos while connecting. */
  readonly helloMs: number;
  /** For an answer that needs no work, before the request is repeated, and in all. */
  readonly answerMs: number;
  readonly answerTotalMs: number;
  /** The same for an inference. */
  readonly runMs: number;
  readonly runTotalMs: number;
}

const defaultTimeouts: BenchTimeouts = {
  resetHoldMs: 20,
  connectMs: 10_000,
  helloMs: 400,
  answerMs: 250,
  answerTotalMs: 10_000,
  runMs: 1_000,
  runTotalMs: 120_000,
};

export interface BenchOptions {
  readonly baud?: number;
  /** Start the firmware anew, where the port has reset lines. Yes by default: then nothing old is measured. */
  readonly reset?: boolean;
  readonly wiring?: Wiring;
  /** Checked against hello: E_WRONG_MODEL, E_WRONG_FIRMWARE, E_BAD_TIMER. */
  readonly expected?: {
    /** Sixteen hexadecimal digits. */
    readonly modelHash?: string;
    readonly board?: string;
    readonly clockHz?: number;
  };
  readonly timeouts?: Partial<BenchTimeouts>;
  readonly signal?: AbortSignal;
}

export interface BoardMemory {
  readonly static: number;
  readonly arena: number;
  readonly stackSize: number;
  readonly stackUsed: number;
  readonly image: number;
  readonly initTicks: number;
}

export interface LayerProfile {
  readonly ticks: readonly number[];
  /** FNV-1a, 32 bits, of each layer's output bytes. */
  readonly hashes: readonly number[];
}

export interface MeasureOptions {
  readonly runs: number;
  /** Inferences before the first one that counts; 1 when not given. */
  readonly warmups?: number;
  readonly onSample?: (done: number, ticks: number) => void;
}

const LOAD_HEAD = 5;
const SMALLEST_CHUNK = 64;
const LARGEST_CHUNK = 1_016;
const LOAD_ATTEMPTS = 3;
const PROFILE_CHUNK = 128;
const SATURATED = 0xffffffff;
/** Between what the board's clock and ours say, on top of a share of the time itself. */
const CLOCK_SLACK_MS = 100;
const CLOCK_SLACK_SHARE = 1.05;
const CLOCK_TOLERANCE = 0.02;
const BOOTLOADER_BYTES = new Set([0x79, 0x1f]);

/** Talks to the benchmark firmware (docs/bench-protocol.md, version 1). */
export class BenchClient {
  readonly hello: BoardHello;
  private readonly link: BenchLink;
  private readonly timeouts: BenchTimeouts;
  private chunk = LARGEST_CHUNK;
  private runs = 0;

  private constructor(link: BenchLink, hello: BoardHello, timeouts: BenchTimeouts) {
    this.link = link;
    this.hello = hello;
    this.timeouts = timeouts;
  }

  /**
   * Errors: E_BOARD_SILENT, E_WRONG_FIRMWARE, E_WRONG_MODEL, E_BOARD_CRASHED, E_BAD_TIMER, E_DEVICE_LOST, or the
   * signal's reason.
   */
  static async connect(transport: Transport, options: BenchOptions = {}): Promise<BenchClient> {
    const timeouts = { ...defaultTimeouts, ...options.timeouts };
    const baud = options.baud ?? 115_200;
    const wiring = options.wiring ?? defaultWiring;
    await transport.setBaud(baud, 'none');
    if ((options.reset ?? true) && transport.hasSignals) {
      await holdInReset(transport, wiring, 'flash');
      await transport.clock.sleep(timeouts.resetHoldMs, options.signal);
    }
    await discardInput(transport, options.signal);
    // Also without a reset: opening a serial port raises both lines, which with this wiring is a reset that never ends.
    await releaseReset(transport, wiring, 'flash');
    const link = new BenchLink(transport, baud, options.signal);
    const hello = await meet(link, timeouts);
    checkHello(hello, transport.name, options.expected ?? {});
    return new BenchClient(link, hello, timeouts);
  }

  /** Requests that had to be sent again so far. */
  get repeats(): number {
    return this.link.repeats;
  }

  /** E_INPUT_SIZE when the model on the board has no such input or one of another size. */
  async loadInput(index: number, bytes: Uint8Array): Promise<void> {
    const wanted = this.hello.inputBytes[index];
    if (bytes.length !== wanted) throw inputSizeWrong(index, bytes.length, wanted);
    for (let offset = 0; offset < bytes.length; ) {
      const part = bytes.subarray(offset, offset + this.chunk);
      await this.loadPart(index, offset, part);
      offset += part.length;
    }
  }

  /** Ticks of one inference on the loaded input, which is used up unless hello says that it is kept. */
  async run(run: number, sample: number): Promise<number> {
    const body = new Uint8Array(8);
    const view = new DataView(body.buffer);
    view.setUint32(0, run, true);
    view.setUint32(4, sample, true);
    const step = `run inference ${sample}`;
    const answer = await this.ask(REQUEST.run, body, step, 'work');
    const reader = new BodyReader(answer.body);
    const [saidRun, saidSample, ticks] = [reader.u32(), reader.u32(), reader.u64()];
    if (!reader.exact || saidRun !== run || saidSample !== sample) {
      throw badAnswer(this.link.transport.name, step, `run ${saidRun}, inference ${saidSample}`);
    }
    return this.plausible(ticks, answer.elapsedMs);
  }

  async readOutput(index: number): Promise<Uint8Array> {
    const size = this.hello.outputBytes[index] ?? 0;
    const bytes = new Uint8Array(size);
    for (let offset = 0; offset < size; ) {
      const length = Math.min(this.chunk, BODY_LIMIT, size - offset);
      const body = new Uint8Array(7);
      const view = new DataView(body.buffer);
      body[0] = index;
      view.setUint32(1, offset, true);
      view.setUint16(5, length, true);
      const answer = await this.ask(REQUEST.read, body, `read output ${index}`);
      if (answer.body.length !== length) {
        throw badAnswer(this.link.transport.name, `read output ${index}`, `${answer.body.length} bytes`);
      }
      bytes.set(answer.body, offset);
      offset += length;
    }
    return bytes;
  }

  /** One inference: all inputs in, all outputs out, with its ticks. */
  async infer(inputs: readonly Uint8Array[]): Promise<{ ticks: number; outputs: Uint8Array[] }> {
    await this.loadInputs(inputs);
    const ticks = await this.run(++this.runs, 0);
    const outputs: Uint8Array[] = [];
    for (let i = 0; i < this.hello.outputBytes.length; i++) outputs.push(await this.readOutput(i));
    return { ticks, outputs };
  }

  /** Ticks of `runs` inferences on the same input, each counted once. Nothing is returned unless all succeeded. */
  async measure(inputs: readonly Uint8Array[], options: MeasureOptions): Promise<number[]> {
    const run = ++this.runs;
    const warmups = options.warmups ?? 1;
    const ticks: number[] = [];
    for (let sample = 0; sample < warmups + options.runs; sample++) {
      if (sample === 0 || !this.hello.inputKept) await this.loadInputs(inputs);
      const one = await this.run(run, sample);
      if (sample < warmups) continue;
      ticks.push(one);
      options.onSample?.(ticks.length, one);
    }
    return ticks;
  }

  /** One inference timed layer by layer, with a hash of what each layer put out. */
  async profile(inputs: readonly Uint8Array[]): Promise<LayerProfile> {
    await this.loadInputs(inputs);
    const run = ++this.runs;
    const body = new Uint8Array(4);
    new DataView(body.buffer).setUint32(0, run, true);
    const answer = await this.ask(REQUEST.profile, body, 'profile an inference', 'work');
    const reader = new BodyReader(answer.body);
    const [saidRun, layers] = [reader.u32(), reader.u16()];
    if (!reader.exact || saidRun !== run || layers !== this.hello.layers) {
      throw badAnswer(this.link.transport.name, 'profile an inference', `run ${saidRun} of ${layers} layers`);
    }
    const ticks = await this.readLayers(REQUEST.ticks, 'report the time of each layer');
    if (ticks.includes(SATURATED))
      throw badTimer(this.link.transport.name, 'a layer took longer than 32 bits can say');
    this.plausibleSum(ticks, answer.elapsedMs);
    return { ticks, hashes: await this.readLayers(REQUEST.hashes, 'report the output of each layer') };
  }

  async memory(): Promise<BoardMemory> {
    const answer = await this.ask(REQUEST.memory, new Uint8Array(0), 'report its memory');
    const reader = new BodyReader(answer.body);
    const memory = {
      static: reader.u32(),
      arena: reader.u32(),
      stackSize: reader.u32(),
      stackUsed: reader.u32(),
      image: reader.u32(),
      initTicks: reader.u32(),
    };
    if (!reader.exact || memory.stackUsed > memory.stackSize) {
      throw badAnswer(this.link.transport.name, 'report its memory', `${answer.body.length} bytes`);
    }
    return memory;
  }

  private async loadInputs(inputs: readonly Uint8Array[]): Promise<void> {
    const wanted = this.hello.inputBytes.length;
    if (inputs.length < wanted) throw inputSizeWrong(inputs.length, 0, this.hello.inputBytes[inputs.length]);
    for (const [index, bytes] of inputs.entries()) await this.loadInput(index, bytes);
  }

  private async loadPart(index: number, offset: number, part: Uint8Array): Promise<void> {
    const body = new Uint8Array(LOAD_HEAD + part.length);
    body[0] = index;
    new DataView(body.buffer).setUint32(1, offset, true);
    body.set(part, LOAD_HEAD);
    const step = `take input ${index}`;
    for (let attempt = 0; attempt < LOAD_ATTEMPTS; attempt++) {
      const { body: answer } = await this.ask(REQUEST.load, body, step);
      const reader = new BodyReader(answer);
      const sum = reader.u32();
      if (reader.exact && sum === crc32(part)) return;
    }
    throw badAnswer(this.link.transport.name, step, 'its memory does not hold what was sent');
  }

  private async readLayers(type: number, step: string): Promise<number[]> {
    const values: number[] = [];
    while (values.length < this.hello.layers) {
      const count = Math.min(PROFILE_CHUNK, this.hello.layers - values.length);
      const body = new Uint8Array(4);
      const view = new DataView(body.buffer);
      view.setUint16(0, values.length, true);
      view.setUint16(2, count, true);
      const answer = await this.ask(type, body, step);
      const reader = new BodyReader(answer.body);
      const same = reader.u16() === values.length && reader.u16() === count;
      const part = reader.u32s(count);
      if (!same || !reader.exact) {
        throw badAnswer(this.link.transport.name, step, `${answer.body.length} bytes`);
      }
      values.push(...part);
    }
    return values;
  }

  /** On a link that needed a repetition, frames become smaller, so that fewer are hit. */
  private async ask(
    type: number,
    body: Uint8Array,
    step: string,
    kind: 'answer' | 'work' = 'answer',
  ): Promise<Answer> {
    const { answerMs, answerTotalMs, runMs, runTotalMs } = this.timeouts;
    const answer = await this.link.ask({
      type,
      body,
      step,
      repeatMs: kind === 'work' ? runMs : answerMs,
      totalMs: kind === 'work' ? runTotalMs : answerTotalMs,
    });
    if (answer.repeats > 0) this.chunk = Math.max(SMALLEST_CHUNK, this.chunk >> 1);
    return answer;
  }

  private plausible(ticks: bigint, elapsedMs: number): number {
    if (ticks === 0n) throw badTimer(this.link.transport.name, 'an inference took 0 ticks');
    if (ticks > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw badTimer(this.link.transport.name, `an inference took ${ticks} ticks`);
    }
    this.plausibleSum([Number(ticks)], elapsedMs);
    return Number(ticks);
  }

  /** An inference cannot take longer than we waited for it. Emulated time may run slower or faster than ours. */
  private plausibleSum(ticks: readonly number[], elapsedMs: number): void {
    if (this.hello.tickUnit === 'instruction') return;
    const ms = (ticks.reduce((sum, one) => sum + one, 0) / this.hello.tickHz) * 1000;
    if (ms > elapsedMs * CLOCK_SLACK_SHARE + CLOCK_SLACK_MS) {
      const took = `${ms.toFixed(0)} ms by its clock, ${elapsedMs.toFixed(0)} ms by ours`;
      throw badTimer(this.link.transport.name, `an inference took ${took}`);
    }
  }
}

/** Asks until the board says what it is, or until it is clear that it will not. */
async function meet(link: BenchLink, timeouts: BenchTimeouts): Promise<BoardHello> {
  const { clock, name } = link.transport;
  const until = clock.now() + timeouts.connectMs;
  while (clock.now() < until) {
    const seq = await link.send(REQUEST.hello, new Uint8Array(0));
    const next = Math.min(until, clock.now() + timeouts.helloMs);
    do {
      for (const frame of await link.listen(next - clock.now())) {
        const answers = frame.type === (REQUEST.hello | ANSWER_BIT) && frame.seq === seq;
        if (frame.type === READY || answers) return readHello(frame.body, name);
        link.checkUnasked(frame, 'start');
      }
    } while (clock.now() < next);
  }
  throw explainSilence(link);
}

function readHello(body: Uint8Array, port: string): BoardHello {
  const version = helloVersion(body);
  if (version !== PROTOCOL_VERSION) {
    throw wrongFirmware(port, `it speaks version ${version} of the protocol, not ${PROTOCOL_VERSION}`);
  }
  const hello = parseHello(body);
  if (!hello) throw wrongFirmware(port, `its greeting of ${body.length} bytes makes no sense`);
  return hello;
}

function explainSilence(link: BenchLink): Error {
  const { name } = link.transport;
  if (link.bytesHeard === 0) return boardSilent(name);
  if (link.noise.every((byte) => BOOTLOADER_BYTES.has(byte)) && link.noise.length > 0) {
    return wrongFirmware(name, 'its factory boot loader answers (BOOT0 is high)');
  }
  return wrongFirmware(name, `it says ${excerpt(link.noise)}`);
}

function checkHello(hello: BoardHello, port: string, expected: NonNullable<BenchOptions['expected']>): void {
  if (expected.board !== undefined && hello.board !== expected.board) {
    throw wrongFirmware(port, `it was built for board "${hello.board}", not "${expected.board}"`);
  }
  if (expected.modelHash !== undefined && hello.modelHash !== expected.modelHash.toLowerCase()) {
    throw wrongModel(hello.modelHash, expected.modelHash);
  }
  if (hello.tickHz === 0 || hello.clockHz === 0) throw badTimer(port, 'it reports a clock of 0 Hz');
  const { clockHz } = expected;
  if (clockHz !== undefined && Math.abs(hello.clockHz - clockHz) > clockHz * CLOCK_TOLERANCE) {
    throw badTimer(port, `its core runs at ${hello.clockHz} Hz, the board description says ${clockHz} Hz`);
  }
  if (hello.tickUnit === 'cycle' && hello.tickHz !== hello.clockHz) {
    throw badTimer(
      port,
      `it counts core cycles at ${hello.tickHz} Hz with a core clock of ${hello.clockHz} Hz`,
    );
  }
}
