import type { Channel } from './channel.ts';
import { exactForm, fitLinear, linearShift, type ResultRange } from './requantize.ts';

/** How a layer requantizes. */
export interface Finish {
  readonly form: 'linear' | 'exact';
  /** Literal shifts of a linear form, by position of a channel in its group; 0 in the exact form. */
  readonly shifts: readonly number[];
  readonly channels: readonly ChannelFinish[];
}

/**
 * Shifts to try where `best` would give the multipliers most bits: multiples of 4 first, so that layers can share a
 * function, then finer ones, then coarser ones, which can meet thresholds that a finer one misses.
 */
function shiftsToTry(best: number): number[] {
  const shared = best - (best % 4);
  return [...new Set([shared, best, best - 1, best - 2])].filter((shift) => shift > 0);
}

interface ChannelFinish {
  /** What the start value of the sums grows by. */
  readonly delta: number;
  /** The requantization's words in the stream. */
  readonly words: readonly number[];
}

/** The linear forms of channels that come out of their sums `gain` times too large, all with this shift. */
function linearForms(
  channels: readonly Channel[],
  result: ResultRange,
  gain: number,
  shift: number,
): ChannelFinish[] | undefined {
  const forms: ChannelFinish[] = [];
  for (const { scale, range, only } of channels) {
    const form =
      only === undefined
        ? fitLinear({ scale, result, range, gain, shift })
        : { multiplier: 0, offset: only * 2 ** shift, delta: 0 };
    if (!form) return undefined;
    forms.push({ delta: form.delta, words: [form.multiplier, form.offset] });
  }
  return forms;
}

/** One linear shift for all channels, and the forms that were proved with it. */
function shareShift(channels: readonly Channel[], result: ResultRange, gain: number) {
  const active = channels.filter(({ only }) => only === undefined);
  const best = linearShift(active.map(({ scale }) => ({ scale, gain })));
  if (best === undefined) return undefined;
  for (const shift of shiftsToTry(best)) {
    const forms = linearForms(channels, result, gain, shift);
    if (forms) return { shift, forms };
  }
  return undefined;
}

/** The linear form of a layer whose channels at position i of a group have their sums multiplied by gains[i]. */
function linearFinish(
  channels: readonly Channel[],
  result: ResultRange,
  gains: readonly number[],
): Finish | undefined {
  const group = gains.length;
  const shared = gains.map((gain, position) =>
    shareShift(
      channels.filter((_, i) => i % group === position),
      result,
      gain,
    ),
  );
  if (shared.some((part) => part === undefined)) return undefined;
  return {
    form: 'linear',
    shifts: shared.map((part) => part!.shift),
    channels: channels.map((_, i) => shared[i % group]!.forms[Math.floor(i / group)]!),
  };
}

function exactFinish(channels: readonly Channel[], result: ResultRange, group: number): Finish | undefined {
  const forms = channels.map(({ scale, range, only }) =>
    only === undefined ? exactForm(scale, result, range) : { multiplier: 0, offset: only, shift: 0, mask: 0 },
  );
  if (forms.some((form) => form === undefined)) return undefined;
  return {
    form: 'exact',
    shifts: new Array<number>(group).fill(0),
    channels: forms.map((form) => {
      const { multiplier, offset, shift, mask } = form!;
      return { delta: 0, words: [multiplier, offset, shift, mask] };
    }),
  };
}

/** The cheapest requantization that is proved for every channel; undefined where not even the exact one is safe. */
export function chooseFinish(
  channels: readonly Channel[],
  result: ResultRange,
  gains: readonly number[],
): Finish | undefined {
  return linearFinish(channels, result, gains) ?? exactFinish(channels, result, gains.length);
}

/**
 * The multipliers of a linear form by position of a channel in its group, where each position has only one: then they
 * need not stand with every channel. A channel of one result has none; its sum is 0, so any will do.
 */
export function sharedMultipliers({ form, shifts, channels }: Finish): number[] | undefined {
  if (form !== 'linear') return undefined;
  const multipliers = shifts.map((_, position) => {
    const own = channels.filter((_, i) => i % shifts.length === position).map(({ words }) => words[0]!);
    return [...new Set(own.filter((multiplier) => multiplier !== 0))];
  });
  return multipliers.every((list) => list.length < 2) ? multipliers.map(([only = 0]) => only) : undefined;
}
