import type { Channel } from '../choice/channel.ts';
import type { Finish } from '../choice/finish.ts';

/** Two channels side by side in every word of weights; the last pair of an odd number lacks its second. */
export type Pair = readonly [Channel, Channel | undefined];

export function pairsOf(channels: readonly Channel[]): Pair[] {
  const pairs: Pair[] = [];
  for (let i = 0; i < channels.length; i += 2) pairs.push([channels[i]!, channels[i + 1]]);
  return pairs;
}

/** Words of weights that a window of `taps` positions takes, two positions to a word, in groups of four. */
export const wordsOfWindow = (taps: number) => 2 * Math.ceil(taps / 4);

/** Largest |sum| of a second channel: it comes out of the dual form multiplied by 256. */
const dualSumLimit = 2 ** 23;

/** Why a pair's weights cannot stand in the dual form: undefined when they can. */
function dualObstacle([first, second]: Pair): string | undefined {
  if (!second) return undefined;
  const a = first.weights;
  const b = second.weights;
  if (b.some((weight, k) => weight === -128 && a[k]! < 0)) {
    return 'a weight of -128 beside a negative one does not fit 16 bits';
  }
  const { low, high } = second.range;
  // A linear form may move the start by a little; 2^12 covers it and the proof checks the exact bound.
  const most = Math.max(-low, high) + 2 ** 12;
  return most >= dualSumLimit ? `sums reach ${most}, beyond 2^23` : undefined;
}

/** Why a layer cannot have dual weights. */
export function dualObstacleOf(pairs: readonly Pair[]): string | undefined {
  for (const pair of pairs) {
    const obstacle = dualObstacle(pair);
    if (obstacle) return obstacle;
  }
  return undefined;
}

export type WeightForm = 'dual' | 'plain';

/** Half a word: one position of the window for both channels. */
function halfWord(form: WeightForm, a: number, b: number): number {
  return form === 'dual' ? (a + 256 * b) & 0xffff : (a & 0xff) | ((b & 0xff) << 8);
}

/** The words of a pair from number `from` on. */
export function weightWords(form: WeightForm, [first, second]: Pair, words: number, from = 0): number[] {
  const at = (channel: Channel | undefined, k: number) => channel?.weights[k] ?? 0;
  return Array.from({ length: words }, (_, i) => {
    const word = from + i;
    const k = Math.floor(word / 2) * 4 + (word % 2);
    const [low, high] = [k, k + 2].map((tap) => halfWord(form, at(first, tap), at(second, tap))) as [
      number,
      number,
    ];
    return low | (high << 16);
  });
}

/**
 * The stream of tml_cm_gemm.h: for each pair both start values, its weights in `weightsOf`'s words, both
 * requantizations. With `shared`, both multipliers stand at its head and not with the pairs.
 */
export function pairStream(
  form: WeightForm,
  pairs: readonly Pair[],
  finish: Finish,
  weightsOf: (pair: Pair, index: number) => readonly number[],
  shared: readonly number[] | undefined,
): Int32Array {
  const channels = finish.channels.map(({ delta, words }) => ({
    delta,
    words: shared ? words.slice(1) : words,
  }));
  const none = { delta: 0, words: channels[0]!.words.map(() => 0) };
  const stream = pairs.flatMap((pair, i) => {
    const [a, b] = [channels[2 * i]!, channels[2 * i + 1] ?? none];
    const first = pair[0].start + a.delta;
    const second = (pair[1]?.start ?? 0) + b.delta;
    const start = form === 'dual' ? first + 256 * second : second;
    return [first, start, ...weightsOf(pair, i), ...a.words, ...b.words];
  });
  return Int32Array.from([...(shared ?? []), ...stream], (word) => word | 0);
}
