import type { Channel } from '../choice/channel.ts';
import { type Finish, noFinish } from './finish.ts';
import { separable, startWords } from './packed-stream.ts';
import { StreamWriter } from './stream-writer.ts';

/** Positions of a round, and channels that are computed together. */
const round = 16;
const together = 8;

/** How a round's positions are grouped: the byte for it, the number of groups, and instructions for the round. */
interface Grouping {
  readonly code: number;
  readonly groups: number;
  readonly cost: number;
}

const wholeRound: Grouping = { code: 0, groups: 1, cost: 16 * 15 + 22 };
/** Instructions for halves, and for pairs instead of one group of eight. */
const halvesCost = 16 * 15 + 50;
const pairsCost = 70;

/** Instructions of the plain form for a round. */
const plainCost = 16 * 25 + 12;

export const quadPositions = (taps: number) => round * Math.ceil(taps / round);

/** Channels as they are computed. */
export const quadDepth = (channels: number) => together * Math.ceil(channels / together);

/** Bytes of a row and its table. */
export const quadScratch = (taps: number) => quadPositions(taps) + 24 * (quadPositions(taps) / round);

type Channels = readonly (Channel | undefined)[];

/** Whether groups of `size` can be told apart from position `from` to `end`. */
function holds(channels: Channels, from: number, end: number, size: number): boolean {
  for (let k = from; k < end; k += size) {
    if (!channels.every((channel) => !channel || separable(channel.weights, k, k + size))) return false;
  }
  return true;
}

function groupingOf(channels: Channels, from: number): Grouping | undefined {
  const [middle, end] = [from + round / 2, from + round];
  if (holds(channels, from, end, round)) return wholeRound;
  if (!holds(channels, from, end, 2)) return undefined;
  const first = holds(channels, from, middle, 8) ? 0 : 1;
  const second = holds(channels, middle, end, 8) ? 0 : 1;
  const paired = first + second;
  return { code: 4 + first + 2 * second, groups: 2 + 3 * paired, cost: halvesCost + pairsCost * paired };
}

interface Block {
  readonly first: number;
  readonly channels: Channels;
  readonly rounds: readonly Grouping[];
}

function blocksOf(channels: readonly Channel[], taps: number): Block[] | undefined {
  const blocks: Block[] = [];
  for (let first = 0; first < channels.length; first += together) {
    const block = Array.from({ length: together }, (_, j) => channels[first + j]);
    const rounds: Grouping[] = [];
    for (let from = 0; from < taps; from += round) {
      const grouping = groupingOf(block, from);
      if (!grouping) return undefined;
      rounds.push(grouping);
    }
    blocks.push({ first, channels: block, rounds });
  }
  return blocks;
}

function writeBlock(writer: StreamWriter, { first, channels, rounds }: Block, finish: Finish): void {
  const finishes = channels.map((_, j) => finish.channels[first + j] ?? noFinish(finish));
  const start = (j: number) => (channels[j]?.start ?? 0) + finishes[j]!.delta;
  const groups = rounds.reduce((sum, grouping) => sum + grouping.groups, 0);
  for (const [low, high] of [
    [0, 2],
    [1, 3],
    [4, 6],
    [5, 7],
  ] as const)
    writer.words(...startWords(start(high), start(low), groups));
  writer.bytes(...rounds.map(({ code }) => code));
  writer.align();
  for (let k = 0; k < rounds.length * round; k++)
    writer.bytes(...channels.map((channel) => (channel?.weights[k] ?? 0) + 128));
  for (const { words } of finishes) writer.words(...words);
}

export interface QuadStream {
  readonly stream: Int32Array;
  /** Instructions that it saves against the plain form, for each row. */
  readonly saved: number;
}

/** The stream of tml_rv_quads.h; undefined where the weights of two positions are too large for it. */
export function quadStream(
  channels: readonly Channel[],
  finish: Finish,
  taps: number,
): QuadStream | undefined {
  const blocks = blocksOf(channels, taps);
  if (!blocks) return undefined;
  const writer = new StreamWriter();
  for (const block of blocks) writeBlock(writer, block, finish);
  const rounds = blocks.flatMap((block) => block.rounds);
  const table = 3 * taps;
  const saved = rounds.reduce((sum, { cost }) => sum + plainCost - cost, 0) - table;
  return { stream: writer.finish(), saved };
}
