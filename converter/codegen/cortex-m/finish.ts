import type { ChannelSums } from './channel-sums.ts';
import {
  type ChannelScale,
  exactForm,
  fitLinear,
  type LinearForm,
  type LinearProblem,
  linearShift,
  type ResultRange,
} from './requantize.ts';

/** An output channel with all that decides its results. */
export interface Channel {
  readonly sums: ChannelSums;
  readonly scale: ChannelScale;
}

/** How a layer requantizes. */
export interface Finish {
  readonly form: 'linear' | 'exact';
  /** Literal shifts of a linear form, by position of a channel in its group; 0 in the exact form. */
  readonly shifts: readonly number[];
  /** For each channel, what its start value grows by, and its words in the stream. */
  readonly channels: readonly { readonly delta: number; readonly words: readonly number[] }[];
}

/** Shifts below the best one that are tried: a coarser multiplier can meet thresholds that a finer one misses. */
const shiftsTried = 3;

function fitAll(problems: readonly Omit<LinearProblem, 'shift'>[], shift: number): LinearForm[] | undefined {
  const forms: LinearForm[] = [];
  for (const problem of problems) {
    const form = fitLinear({ ...problem, shift });
    if (!form) return undefined;
    forms.push(form);
  }
  return forms;
}

/** One linear shift for all problems and the forms that were proved with it. */
function shareShift(problems: readonly Omit<LinearProblem, 'shift'>[]) {
  const best = linearShift(problems);
  if (best === undefined) return undefined;
  for (let shift = best; shift > Math.max(0, best - shiftsTried); shift--) {
    const forms = fitAll(problems, shift);
    if (forms) return { shift, forms };
  }
  return undefined;
}

/** The linear form for a layer whose channels at position i of a group have their sums multiplied by gains[i]. */
function linearFinish(channels: readonly Channel[], result: ResultRange, gains: readonly number[]) {
  const shared = gains.map((gain, position) =>
    shareShift(
      channels
        .filter((_, i) => i % gains.length === position)
        .map(({ scale, sums }) => ({ scale, result, range: sums.range, gain })),
    ),
  );
  if (shared.some((part) => part === undefined)) return undefined;
  return {
    form: 'linear',
    shifts: shared.map((part) => part!.shift),
    channels: channels.map((_, i) => {
      const { delta, multiplier, offset } = shared[i % gains.length]!.forms[Math.floor(i / gains.length)]!;
      return { delta, words: [multiplier, offset] };
    }),
  } satisfies Finish;
}

function exactFinish(channels: readonly Channel[], result: ResultRange, group: number): Finish | undefined {
  const forms = channels.map(({ scale, sums }) => exactForm(scale, result, sums.range));
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

