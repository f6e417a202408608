import type { Channel } from '../choice/channel.ts';
import { type Finish, noFinish } from './finish.ts';
import { StreamWriter } from './stream-writer.ts';

/** Positions of a round, and of the half round that may follow the last. */
const round = 8;
const halfRound = 4;

/** Positions that the stream of a window of `taps` covers. */
export const coveredPositions = (taps: number) => halfRound * Math.ceil(taps / halfRound);

/** Whether the sums of two pixels over weights[from..to) can be told apart, for any inputs of 8 bits. */
export function separable(weights: Int8Array, from: number, to: number): boolean {
  let low = 0;
  let high = 0;
  for (const weight of weights.subarray(from, to)) {
    low += weight < 0 ? 127 * weight : -128 * weight;
    high += weight < 0 ? -128 * weight : 127 * weight;
  }
  return low >= -(2 ** 15) && high < 2 ** 15;
}

/** How a round's positions are grouped: the byte that the kernel reads, and how many groups that makes. */
interface Grouping {
  readonly code: number;
  readonly groups: number;
}

type Pair = readonly [Channel, Channel | undefined];

/** Groups of `size` for `length` positions from `from` on are separable for both channels. */
function groupsHold(pair: Pair, from: number, length: number, size: number): boolean {
  for (let k = from; k < from + length; k += size) {
    if (!pair.every((channel) => !channel || separable(channel.weights, k, k + size))) return false;
  }
  return true;
}

/** Undefined where even two positions cannot be told apart. */
function groupingOf(pair: Pair, from: number, length: number): Grouping | undefined {
  const sizes = length === round ? ([8, 4, 2] as const) : ([4, 2] as const);
  const size = sizes.find((candidate) => groupsHold(pair, from, length, candidate));
  if (size === undefined) return undefined;
  const code = size === 8 ? 1 : size === 4 ? 0 : -1;
  return { code, groups: length / size };
}

interface Round {
  readonly from: number;
  readonly length: number;
}

function roundsOf(taps: number): Round[] {
  const covered = coveredPositions(taps);
  return Array.from({ length: Math.ceil(covered / round) }, (_, i) => ({
    from: i * round,
    length: Math.min(round, covered - i * round),
  }));
}

const pairsOf = (channels: readonly Channel[]): Pair[] =>
  Array.from({ length: Math.ceil(channels.length / 2) }, (_, i) => [channels[2 * i]!, channels[2 * i + 1]]);

/** Start values of h and m in tml_rv_gemm.h, for those of the sums above and below in a word and a number of groups. */
export const startWords = (high: number, low: number, groups: number) => [
  high | 0,
  ((low | 0) + ((high | 0) << 16) - groups * 0x8000) | 0,
];

/** Whether a pair has weights other than zero in a round. */
function holdsWeights(pair: Pair, { from, length }: Round): boolean {
  const inRound = (channel: Channel | undefined) => channel?.weights.subarray(from, from + length) ?? [];
  return pair.some((channel) => inRound(channel).some((weight) => weight !== 0));
}

/** The most rounds that can be left out together. */
const farthest = 255;

/** Rounds of a pair that are stored, with how many are left out before each; a last one that is not whole always is. */
function storedRounds(
  pair: Pair,
  rounds: readonly Round[],
): { stored: (Round & { skip: number })[]; end: number } {
  const stored: (Round & { skip: number })[] = [];
  let skip = 0;
  for (const one of rounds) {
    if (one.length === round && skip < farthest && !holdsWeights(pair, one)) skip++;
    else {
      stored.push({ ...one, skip });
      skip = 0;
    }
  }
  return { stored, end: skip };
}

/** Shares of the rounds of eight positions that hold weights, and of all weights that are zero. */
export function densityOf(channels: readonly Channel[], taps: number): { rounds: number; zeros: number } {
  const rounds = roundsOf(taps);
  const pairs = pairsOf(channels);
  const held = pairs.reduce((sum, pair) => sum + rounds.filter((one) => holdsWeights(pair, one)).length, 0);
  const zeros = channels.reduce(
    (sum, { weights }) => sum + weights.filter((weight) => weight === 0).length,
    0,
  );
  return { rounds: held / (pairs.length * rounds.length), zeros: zeros / (channels.length * taps) };
}

/**
 * The packed form's stream, with rounds of zeros left out if `sparse`; undefined where the weights of two positions are
 * too large for it.
 */
export function packedStream(
  channels: readonly Channel[],
  finish: Finish,
  taps: number,
  sparse = false,
): Int32Array | undefined {
  const writer = new StreamWriter();
  const all = roundsOf(taps);
  for (const [i, pair] of pairsOf(channels).entries()) {
    const { stored: rounds, end } = sparse
      ? storedRounds(pair, all)
      : { stored: all.map((one) => ({ ...one, skip: 0 })), end: 0 };
    const groupings = rounds.map(({ from, length }) => groupingOf(pair, from, length));
    if (groupings.includes(undefined)) return undefined;
    const groups = groupings.reduce((sum, grouping) => sum + grouping!.groups, 0);
    const finishes = [finish.channels[2 * i]!, finish.channels[2 * i + 1] ?? noFinish(finish)] as const;
    for (const j of [0, 1] as const) {
      const start = (pair[j]?.start ?? 0) + finishes[j].delta;
      writer.words(...startWords(start, start, groups));
    }
    for (const [n, { from, length, skip }] of rounds.entries()) {
      if (sparse) writer.bytes(skip);
      writer.bytes(groupings[n]!.code);
      for (let k = from; k < from + length; k++)
        writer.bytes(pair[0].weights[k] ?? 0, pair[1]?.weights[k] ?? 0);
    }
    if (sparse && rounds.at(-1)?.length !== halfRound) writer.bytes(end);
    writer.align();
    for (const { words } of finishes) writer.words(...words);
  }
  return writer.finish();
}
