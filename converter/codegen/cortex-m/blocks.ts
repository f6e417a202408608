/** How a pair's words are read: blocks of at most 32, which is what an FPU's registers hold. */
export interface Blocks {
  readonly count: number;
  readonly length: number;
}

/** Instructions for one word, and for the change to the next block. */
const wordCost = 11;
const blockCost = 6;
const registers = 32;
/** Longest block that is repeated: longer ones gain next to nothing and take 44 bytes of code a word. */
const longestRepeated = 24;

/** The division into blocks that costs least, with words of zeros at the end where it does not come out even. */
export function blocksOf(words: number): Blocks {
  if (words <= registers) return { count: 1, length: words };
  let best = { count: 0, length: 0, cost: Number.POSITIVE_INFINITY };
  for (let length = 2; length <= longestRepeated; length++) {
    const count = Math.ceil(words / length);
    const cost = count * (length * wordCost + blockCost);
    if ((count * length) % 2 === 0 && cost < best.cost) best = { count, length, cost };
  }
  return best;
}

export const wordsOf = ({ count, length }: Blocks): number => count * length;

/** Pixels that are computed four at a time and one by one. */
export interface Pixels {
  readonly tiles: number;
  readonly single: number;
}

/** Instructions for two positions of a single pixel. */
const singleWordCost = 3.5;
/** Instructions of the inner loops for all pixels of a pair of channels. */
export function denseCost(blocks: Blocks, { tiles, single }: Pixels): number {
  const tiled = blocks.count * (blocks.length * wordCost + blockCost);
  return tiles * tiled + single * wordsOf(blocks) * singleWordCost;
}
