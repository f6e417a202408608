import { badAnswer, boardStuck } from '../errors.ts';
import type { SampleCount, SampleRequest, SampleRun, SampleStream } from '../sensor/sample-stream.ts';
import type { BenchLink } from './bench-link.ts';
import { BodyReader } from './body-reader.ts';
import { type Frame, REQUEST, SAMPLES, SAMPLES_END } from './frames.ts';

/** Sources of docs/bench-protocol.md, "Sampling". */
export const SOURCES = { counter: 0, sine: 1, adc: 2 } as const;
export type SourceName = keyof typeof SOURCES;

export interface BenchSampleRequest extends SampleRequest {
  readonly source: SourceName;
}

const HEAD_BYTES = 10;
const STEP = 'take samples';
const ANSWER_MS = 500;
const ANSWER_TOTAL_MS = 5_000;
/** Frames come several times a second, or with each sample; the rest is for an emulator on a busy machine. */
const SILENCE_MS = 10_000;
const SILENT_PERIODS = 4;
/** The last frame tells what was dropped; when it alone is lost the samples are all there. */
const END_MS = 1_000;

function bodyOf({ source, channels, rateHz, samples }: BenchSampleRequest): Uint8Array {
  const body = new Uint8Array(HEAD_BYTES + channels.length);
  const view = new DataView(body.buffer);
  body[0] = SOURCES[source];
  body[1] = channels.length;
  view.setUint32(2, rateHz, true);
  view.setUint32(6, samples, true);
  body.set(channels, HEAD_BYTES);
  return body;
}

const toSigned = (value: number) => (value << 16) >> 16;

/** Samples that our firmware takes by its own clock and sends in frames with their numbers. */
class BenchSampler implements SampleStream {
  readonly rateHz: number;
  readonly channels: number;
  private readonly link: BenchLink;
  private readonly samples: number;
  private due = 0;
  private received = 0;
  private droppedOnBoard: number | null = null;
  private ended = false;
  private runs: SampleRun[] = [];

  constructor(link: BenchLink, request: BenchSampleRequest, rateHz: number) {
    this.link = link;
    this.rateHz = rateHz;
    this.channels = request.channels.length;
    this.samples = request.samples;
  }

  get count(): SampleCount {
    return { due: this.due, received: this.received, droppedOnBoard: this.droppedOnBoard };
  }

  async next(): Promise<SampleRun | undefined> {
    const { clock, name } = this.link.transport;
    const silenceMs = SILENCE_MS + (SILENT_PERIODS * 1000) / this.rateHz;
    let until = clock.now() + silenceMs;
    while (this.runs.length === 0 && !this.ended) {
      const complete = this.received > 0 && this.due === this.samples;
      if (complete) until = Math.min(until, clock.now() + END_MS);
      const frames = await this.link.listen(until - clock.now());
      for (const frame of frames) this.take(frame);
      if (frames.length > 0 || clock.now() < until) continue;
      if (!complete) throw boardStuck(name, 'send samples', silenceMs);
      this.ended = true;
    }
    return this.runs.shift();
  }

  /** Any byte stops the firmware; this one is no frame. */
  async stop(): Promise<void> {
    if (!this.ended) await this.link.transport.write(Uint8Array.of(0));
  }

  private take(frame: Frame): void {
    this.link.checkUnasked(frame, STEP);
    if (frame.type === SAMPLES) this.takeSamples(frame.body);
    else if (frame.type === SAMPLES_END) this.takeEnd(frame.body);
  }

  private takeSamples(body: Uint8Array): void {
    const reader = new BodyReader(body);
    const first = reader.u32();
    const values = Array.from({ length: Math.floor((body.length - 4) / 2) }, () => toSigned(reader.u16()));
    const count = values.length / this.channels;
    const end = first + count;
    // What does not go forward belongs to an earlier request.
    if (!reader.exact || !Number.isInteger(count) || count === 0 || first < this.due || end > this.samples)
      return;
    this.due = end;
    this.received += count;
    this.runs.push({ first, values });
  }

  private takeEnd(body: Uint8Array): void {
    const reader = new BodyReader(body);
    const [due, dropped] = [reader.u32(), reader.u32()];
    if (!reader.exact || due < this.due || due > this.samples) return;
    this.due = due;
    this.droppedOnBoard = dropped;
    this.ended = true;
  }
}

/** Starts a recording. E_REQUEST_REFUSED when the firmware does not sample or has no such sensor. */
export async function startSampling(link: BenchLink, request: BenchSampleRequest): Promise<SampleStream> {
  const body = bodyOf(request);
  const exchange = { type: REQUEST.sample, body, step: STEP, repeatMs: ANSWER_MS, totalMs: ANSWER_TOTAL_MS };
  const answer = await link.ask(exchange);
  const reader = new BodyReader(answer.body);
  const [period, tickHz] = [reader.u32(), reader.u32()];
  if (!reader.exact || period === 0) {
    throw badAnswer(link.transport.name, STEP, `${answer.body.length} bytes`);
  }
  return new BenchSampler(link, request, tickHz / period);
}
