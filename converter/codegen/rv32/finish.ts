import type { Channel } from '../choice/channel.ts';
import { chooseFinish as chooseAny } from '../choice/finish.ts';
import type { ResultRange } from '../choice/requantize.ts';

/** How a layer requantizes, in the words of tml_rv_gemm.h. */
export interface Finish {
  readonly form: 'linear' | 'exact';
  /** Of the linear form. */
  readonly shift: number;
  readonly channels: readonly { readonly delta: number; readonly words: readonly number[] }[];
}

/** Words of a channel that is not there. */
export const noFinish = (finish: Finish) => ({ delta: 0, words: finish.channels[0]!.words.map(() => 0) });

const wordLimit = 2 ** 31 - 2;

/** The largest |product| that the offset is added to. */
function largestProduct({ range }: Channel, multiplier: number, delta: number, doubled: boolean): number {
  const most = Math.max(Math.abs(range.low), Math.abs(range.high)) + Math.abs(delta);
  return (most * multiplier) / 2 ** (doubled ? 31 : 32) + 1;
}

/**
 * The cheapest requantization that is proved for every channel, with the lowest result taken out of the offsets;
 * undefined where not even the exact one is safe.
 */
export function chooseFinish(channels: readonly Channel[], result: ResultRange): Finish | undefined {
  const chosen = chooseAny(channels, result, [1]);
  if (!chosen) return undefined;
  const { form } = chosen;
  const shift = chosen.shifts[0]!;
  const finished = chosen.channels.map(({ delta, words }) => {
    const [multiplier, offset, ownShift, mask] = words as [number, number, number?, number?];
    const lowered = offset - result.low * 2 ** (ownShift ?? shift);
    return {
      delta,
      words: form === 'exact' ? [multiplier, lowered, ownShift!, mask!] : [multiplier, lowered],
    };
  });
  const fits = finished.every(({ delta, words: [multiplier, offset] }, i) => {
    const product = largestProduct(channels[i]!, multiplier!, delta, form === 'exact');
    return product + Math.abs(offset!) < wordLimit;
  });
  return fits ? { form, shift, channels: finished } : undefined;
}
