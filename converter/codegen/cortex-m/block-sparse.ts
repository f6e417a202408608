import { type Blocks, denseCost, type Pixels } from './blocks.ts';
import { type Pair, type WeightForm, weightWords } from './pair-stream.ts';

/** Words of weights of a block: two channels by four positions of the window. */
const blockWords = 2;
/** Positions of a block. */
const blockTaps = 4;
/** Blocks that are read together, behind a word with the distance of each from the one before. */
const chunk = 4;
/** The longest distance, in blocks, that stands in a byte as bytes of the columns of four pixels. */
const farthest = 7;
const columnBytes = 32;

function holdsWeights([first, second]: Pair, block: number): boolean {
  const range = [block * blockTaps, (block + 1) * blockTaps] as const;
  const some = (weights: Int8Array | undefined) => weights?.subarray(...range).some((weight) => weight !== 0);
  return some(first.weights) || some(second?.weights) || false;
}

/** Adds blocks of zeros where the next one is too far away. */
function bridged(kept: readonly number[]): number[] {
  const list: number[] = [];
  for (const block of kept) {
    while (block - (list.at(-1) ?? -1) - 1 > farthest) list.push((list.at(-1) ?? -1) + 1 + farthest);
    list.push(block);
  }
  return list;
}

/** Blocks of a pair that are stored, whole chunks of them, in order: all that hold weights, and some of zeros. */
function storedBlocks(pair: Pair, count: number): number[] {
  const all = Array.from({ length: count }, (_, block) => block);
  const kept = new Set(bridged(all.filter((block) => holdsWeights(pair, block))));
  const wanted = Math.max(chunk, chunk * Math.ceil(kept.size / chunk));
  for (const block of all) if (kept.size < wanted) kept.add(block);
  return bridged([...kept].sort((a, b) => a - b));
}

/** What a layer of sparse blocks stores. */
export interface SparseBlocks {
  /** By pair of channels, in order. */
  readonly stored: readonly (readonly number[])[];
  readonly chunks: number;
  /** Share of all blocks that hold a weight. */
  readonly density: number;
}

/** The blocks of a layer; undefined where a pair's blocks do not make whole chunks. */
function sparseBlocksOf(pairs: readonly Pair[], taps: number): SparseBlocks | undefined {
  const count = Math.ceil(taps / blockTaps);
  const stored = pairs.map((pair) => storedBlocks(pair, count));
  if (stored.some((blocks) => blocks.length % chunk !== 0)) return undefined;
  const all = Array.from({ length: count }, (_, block) => block);
  const full = pairs.reduce((sum, pair) => sum + all.filter((block) => holdsWeights(pair, block)).length, 0);
  return {
    stored,
    chunks: stored.reduce((sum, blocks) => sum + blocks.length / chunk, 0),
    density: full / (count * pairs.length),
  };
}

/** A pair's weights: bytes of what follows, then for each chunk the distances, a byte each, and the blocks' words. */
export function sparseWords(form: WeightForm, pair: Pair, stored: readonly number[]): number[] {
  const words: number[] = [];
  for (let first = 0; first < stored.length; first += chunk) {
    const blocks = stored.slice(first, first + chunk);
    const distances = blocks.map(
      (block, i) => columnBytes * (block - (stored[first + i - 1] ?? -1) - 1) * 2 ** (8 * i),
    );
    words.push(
      distances.reduce((sum, distance) => sum + distance),
      ...blocks.flatMap((block) => weightWords(form, pair, blockWords, block * blockWords)),
    );
  }
  return [4 * words.length, ...words];
}

/** Instructions for one chunk of a tile of four pixels and of one pixel, and for a pair's own words. */
const sparseCost = { tile4: 102, tile1: 43, pair: 9 } as const;

/** Sparse blocks must save so much of the instructions of the inner loops. */
const worthSparse = 0.95;
/** Share of weights that are zero from which on it is said why they are not left out. */
const manyZeros = 0.3;

/** Blocks with the zeros left out, or why that gains nothing; the reason is given for layers with many zeros only. */
export function planSparse(
  pairs: readonly Pair[],
  taps: number,
  blocks: Blocks,
  pixels: Pixels,
): { readonly sparse?: SparseBlocks; readonly declined?: string } {
  const weights = pairs.flatMap((pair) => pair.flatMap((channel) => channel?.weights ?? []));
  const zeros = weights.reduce((sum, list) => sum + list.filter((weight) => weight === 0).length, 0);
  const share = zeros / weights.reduce((sum, list) => sum + list.length, 0);
  if (share === 0) return {};
  const sparse = sparseBlocksOf(pairs, taps);
  const dense = pairs.length * denseCost(blocks, pixels);
  const { tiles, single } = pixels;
  const perPair = pairs.length * sparseCost.pair * (tiles + single);
  const cost = sparse
    ? sparse.chunks * (tiles * sparseCost.tile4 + single * sparseCost.tile1) + perPair
    : dense;
  if (sparse && cost < worthSparse * dense) return { sparse };
  if (share < manyZeros) return {};
  const percent = Math.round(100 * (sparse?.density ?? 1));
  const zeroPercent = Math.round(100 * share);
  return {
    declined: `sparse blocks: ${zeroPercent} % of the weights are zero, but ${percent} % of the blocks of 2 channels by 4 inputs hold one that is not`,
  };
}
