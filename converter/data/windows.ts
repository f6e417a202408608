import { channelsDoNotFit } from './errors.ts';

/** How samples of sensors become samples of a data set. */
export interface WindowForm {
  /** Shape of one window, as it is stored. */
  readonly shape: readonly number[];
  /** Samples in a window. */
  readonly length: number;
  /** Whether a channel's samples stand together, rather than a sample's channels. */
  readonly channelsFirst: boolean;
}

/** Windows of `length` samples, one row a sample; a window of one sample is its channels alone. */
export function windowOf(length: number, channels: number): WindowForm {
  return { shape: length === 1 ? [channels] : [length, channels], length, channelsFirst: false };
}

/**
 * Windows in the shape of a model's input, `[1, ...rest]` in its own axis order: one axis is the channels, another the
 * time, or a single one is both, sample after sample. Throws E_RECORD_SHAPE.
 */
export function windowForInput(input: string, shape: readonly number[], channels: number): WindowForm {
  const rest = shape.slice(1);
  const sizes = rest.filter((size) => size !== 1);
  const total = rest.reduce((product, size) => product * size, 1);
  const length = total / channels;
  const form = { shape: rest, length };
  if (channels === 1 || sizes.length <= 1) {
    if (!Number.isInteger(length)) throw channelsDoNotFit(input, shape, channels);
    return { ...form, channelsFirst: false };
  }
  const [first, second, ...more] = sizes;
  if (more.length === 0 && second === channels) return { ...form, channelsFirst: false };
  if (more.length === 0 && first === channels) return { ...form, channelsFirst: true };
  throw channelsDoNotFit(input, shape, channels);
}

function arranged(
  values: readonly number[],
  { length, channelsFirst }: WindowForm,
  channels: number,
): number[] {
  if (!channelsFirst) return [...values];
  return Array.from({ length: channels * length }, (_, i) => {
    const channel = Math.floor(i / length);
    return values[(i % length) * channels + channel]!;
  });
}

/** Cuts samples into windows; one is never cut across a gap. */
export class WindowCutter {
  private readonly form: WindowForm;
  private readonly channels: number;
  private readonly hop: number;
  private pending: number[] = [];
  private next = 0;
  /** Samples to pass over before the next window begins, when windows lie apart. */
  private skip = 0;

  /** `hop`: samples from the start of a window to that of the next. */
  constructor(form: WindowForm, channels: number, hop: number) {
    this.form = form;
    this.channels = channels;
    this.hop = hop;
  }

  /** The windows that are complete with these samples, `[samples, channels]`, of which the first has this number. */
  take(first: number, values: readonly number[]): number[][] {
    if (first !== this.next) {
      this.pending = [];
      this.skip = 0;
    }
    this.next = first + values.length / this.channels;
    for (const value of values) this.pending.push(value);
    const windows: number[][] = [];
    for (;;) {
      const skipped = Math.min(this.skip, this.pending.length / this.channels);
      this.pending.splice(0, skipped * this.channels);
      this.skip -= skipped;
      if (this.skip > 0 || this.pending.length < this.form.length * this.channels) return windows;
      windows.push(
        arranged(this.pending.slice(0, this.form.length * this.channels), this.form, this.channels),
      );
      this.skip = this.hop;
    }
  }
}
