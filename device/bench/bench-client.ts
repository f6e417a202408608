import { crc32 } from '../../common/crc32.ts';
import { badAnswer, boardStuck, inputSizeWrong } from '../errors.ts';
import type { SampleStream } from '../sensor/sample-stream.ts';
import { discardInput, type Transport } from '../transport/transport.ts';
import { defaultWiring, holdInReset, releaseReset, type Wiring } from '../transport/wiring.ts';
import { type Answer, BenchLink } from './bench-link.ts';
import { type BenchSampleRequest, startSampling } from './bench-sampler.ts';
import { BoardTimer } from './board-timer.ts';
import { BodyReader } from './body-reader.ts';
import { REQUEST } from './frames.ts';
import type { BoardHello } from './hello.ts';
import {
  type BenchTimeouts,
  checkHello,
  defaultTimeouts,
  type Expectations,
  meetBoard,
} from './meet-board.ts';

export interface BenchOptions {
  readonly baud?: number;
  /** Start the firmware anew, where the port has reset lines. Yes by default: then nothing old is measured. */
  readonly reset?: boolean;
  readonly wiring?: Wiring;
  /** Checked against hello: E_WRONG_MODEL, E_WRONG_FIRMWARE, E_BAD_TIMER. */
  readonly expected?: Expectations;
  /** Whether times count, yes by default. Bytes can be compared on a board whose timer is of no use. */
  readonly timed?: boolean;
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
const TRANSFER_ATTEMPTS = 24;
const PROFILE_CHUNK = 128;

/** A part of a tensor on its way to or from the board. */
interface Transfer {
  request(offset: number, length: number): Uint8Array;
  /** False to ask for the same part again. */
  accept(answer: Uint8Array, offset: number, length: number): boolean;
}

/** Talks to the benchmark firmware (docs/bench-protocol.md, version 1). */
export class BenchClient {
  readonly hello: BoardHello;
  private readonly link: BenchLink;
  private readonly timeouts: BenchTimeouts;
  private readonly expected: Expectations;
  private readonly timer: BoardTimer;
  private chunk = LARGEST_CHUNK;
  private runs = 0;
  private timed = false;

  private constructor(link: BenchLink, hello: BoardHello, timeouts: BenchTimeouts, expected: Expectations) {
    this.link = link;
    this.hello = hello;
    this.timeouts = timeouts;
    this.expected = expected;
    this.timer = new BoardTimer(hello, link.transport.name);
  }

  /**
   * Errors: E_BOARD_SILENT, E_WRONG_FIRMWARE, E_WRONG_MODEL, E_BOARD_CRASHED, E_BAD_TIMER if times count,
   * E_DEVICE_LOST, or the signal's reason.
   */
  static async connect(transport: Transport, options: BenchOptions = {}): Promise<BenchClient> {
    const timeouts = { ...defaultTimeouts, ...options.timeouts };
    const baud = options.baud ?? 115_200;
    const wiring = options.wiring ?? defaultWiring;
    await transport.setBaud(baud, 'none');
    const reset = (options.reset ?? true) && transport.hasSignals;
    if (reset) {
      await holdInReset(transport, wiring, 'flash');
      await transport.clock.sleep(timeouts.resetHoldMs, options.signal);
    }
    await discardInput(transport, options.signal);
    // Also without a reset: opening a serial port raises both lines, which with this wiring is a reset that never ends.
    await releaseReset(transport, wiring, 'flash');
    const link = new BenchLink(transport, baud, options.signal);
    const hello = await meetBoard(link, timeouts, reset);
    const expected = options.expected ?? {};
    checkHello(hello, transport.name, expected);
    const client = new BenchClient(link, hello, timeouts, expected);
    if (options.timed ?? true) client.trustTimer();
    return client;
  }

  /** From here on times count. E_BAD_TIMER when what the board says of its clock cannot be right. */
  trustTimer(): void {
    this.timer.check(this.expected);
    this.timed = true;
  }

  /** What the board said that was not for us: the log of its start, if it has one. */
  get heardBeside(): string {
    return Buffer.from(this.link.noise).toString('latin1');
  }

  /** Requests that had to be sent again so far. */
  get repeats(): number {
    return this.link.repeats;
  }

  /** E_INPUT_SIZE when the model on the board has no such input or one of another size. */
  async loadInput(index: number, bytes: Uint8Array): Promise<void> {
    const wanted = this.hello.inputBytes[index];
    if (bytes.length !== wanted) throw inputSizeWrong(index, bytes.length, wanted);
    const step = `take input ${index}`;
    let damaged = 0;
    await this.transfer(REQUEST.load, step, bytes.length, {
      request: (offset, length) => {
        const head = new Uint8Array(LOAD_HEAD);
        head[0] = index;
        new DataView(head.buffer).setUint32(1, offset, true);
        return Buffer.concat([head, bytes.subarray(offset, offset + length)]);
      },
      accept: (answer, offset, length) => {
        const reader = new BodyReader(answer);
        const sum = reader.u32();
        if (reader.exact && sum === crc32(bytes.subarray(offset, offset + length))) return true;
        if (++damaged < LOAD_ATTEMPTS) return false;
        throw badAnswer(this.link.transport.name, step, 'its memory does not hold what was sent');
      },
    });
  }

  /** Ticks of one inference on the loaded input, which is used up unless hello says that it is kept. Looked at only if times count. */
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
    if (this.timed) this.timer.checkInference(ticks, answer.elapsedMs);
    return Number(ticks);
  }

  async readOutput(index: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(this.hello.outputBytes[index] ?? 0);
    const step = `read output ${index}`;
    await this.transfer(REQUEST.read, step, bytes.length, {
      request: (offset, length) => {
        const body = new Uint8Array(7);
        const view = new DataView(body.buffer);
        body[0] = index;
        view.setUint32(1, offset, true);
        view.setUint16(5, length, true);
        return body;
      },
      accept: (answer, offset, length) => {
        if (answer.length !== length) {
          throw badAnswer(this.link.transport.name, step, `${answer.length} bytes`);
        }
        bytes.set(answer, offset);
        return true;
      },
    });
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
    this.trustTimer();
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

  /** One inference timed layer by layer, if times count, with a hash of what each layer put out. */
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
    const ticks = this.timed ? await this.readLayerTicks(answer.elapsedMs) : [];
    return { ticks, hashes: await this.readLayers(REQUEST.hashes, 'report the output of each layer') };
  }

  private async readLayerTicks(elapsedMs: number): Promise<number[]> {
    const ticks = await this.readLayers(REQUEST.ticks, 'report the time of each layer');
    this.timer.checkLayers(ticks, elapsedMs);
    return ticks;
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

  /** Samples of the board's sensors; the firmware answers nothing else until they have all come or are stopped. */
  sample(request: BenchSampleRequest): Promise<SampleStream> {
    return startSampling(this.link, request);
  }

  private async loadInputs(inputs: readonly Uint8Array[]): Promise<void> {
    const wanted = this.hello.inputBytes.length;
    if (inputs.length < wanted) throw inputSizeWrong(inputs.length, 0, this.hello.inputBytes[inputs.length]);
    for (const [index, bytes] of inputs.entries()) await this.loadInput(index, bytes);
  }

  /** Moves bytes in parts; where a part does not get through, smaller ones are tried, of which fewer are hit. */
  private async transfer(type: number, step: string, total: number, move: Transfer): Promise<void> {
    const repeatMs = this.timeouts.answerMs + this.chunk * this.link.msPerByte;
    let failures = 0;
    for (let offset = 0; offset < total; ) {
      const length = Math.min(this.chunk, total - offset);
      const exchange = { type, body: move.request(offset, length), step, repeatMs, totalMs: repeatMs };
      const answer = await this.link.attempt(exchange);
      if (!answer) {
        if (++failures === TRANSFER_ATTEMPTS)
          throw boardStuck(this.link.transport.name, step, failures * repeatMs);
        this.link.repeats++;
        this.chunk = Math.max(SMALLEST_CHUNK, this.chunk >> 1);
      } else if (move.accept(answer.body, offset, length)) {
        failures = 0;
        offset += length;
      }
    }
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

  private ask(
    type: number,
    body: Uint8Array,
    step: string,
    kind: 'answer' | 'work' = 'answer',
  ): Promise<Answer> {
    const { answerMs, answerTotalMs, runMs, runTotalMs } = this.timeouts;
    return this.link.ask({
      type,
      body,
      step,
      repeatMs: kind === 'work' ? runMs : answerMs,
      totalMs: kind === 'work' ? runTotalMs : answerTotalMs,
    });
  }
}
