/** A block of memory needed from step `first` to step `last`, both included. */
export interface Buffer {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

/**
 * How an input may lie over the result that replaces it: from so many bytes behind its start on, or apart from its
 * start by any multiple of so many bytes.
 */
export type OverlapRule = { readonly behind: number } | { readonly multipleOf: number };

/** Two buffers that may share memory in the one step in which both are alive: the last of one, the first of the other. */
export interface Overlap {
  readonly input: number;
  readonly output: number;
  readonly rule: OverlapRule;
}

export interface MemoryPlan {
  /** Byte offset of each buffer, in the order given. */
  readonly offsets: readonly number[];
  /** Bytes from 0 to the end of the highest buffer. */
  readonly bytes: number;
  /** No plan can be smaller than this: the most bytes alive in one step. */
  readonly lowerBound: number;
  /** The first step in which that many bytes are alive. */
  readonly peakStep: number;
}

export const roundUp = (bytes: number, alignment: number) => Math.ceil(bytes / alignment) * alignment;

export interface Peak {
  readonly bytes: number;
  readonly step: number;
}

/** The step with the most live bytes: a sweep over the steps where lives begin and end. */
export function peakOf(buffers: readonly Buffer[], overlaps: readonly Overlap[], alignment: number): Peak {
  const change = new Map<number, number>();
  const alive = (first: number, last: number, bytes: number) => {
    change.set(first, (change.get(first) ?? 0) + bytes);
    change.set(last + 1, (change.get(last + 1) ?? 0) - bytes);
  };
  const size = (index: number) => roundUp(buffers[index]!.bytes, alignment);
  for (const [index, { first, last }] of buffers.entries()) alive(first, last, size(index));
  for (const { input, output, rule } of overlaps) {
    const behind = 'behind' in rule ? roundUp(rule.behind, alignment) : 0;
    const together = Math.max(behind + size(input), size(output));
    const step = buffers[output]!.first;
    alive(step, step, Math.min(0, together - size(input) - size(output)));
  }
  let live = 0;
  let peak: Peak = { bytes: 0, step: 0 };
  for (const [step, bytes] of [...change].sort(([a], [b]) => a - b)) {
    live += bytes;
    if (live > peak.bytes) peak = { bytes: live, step };
  }
  return peak;
}

interface Placement {
  readonly offsets: number[];
  readonly bytes: number;
}

/** Buffers placed so far, by the steps in which they are alive. */
class Occupancy {
  private readonly bySteps = new Map<number, number[]>();

  add(index: number, { first, last }: Buffer): void {
    for (let step = first; step <= last; step++) {
      const list = this.bySteps.get(step);
      if (list) list.push(index);
      else this.bySteps.set(step, [index]);
    }
  }

  rivals({ first, last }: Buffer): number[] {
    const found = new Set<number>();
    for (let step = first; step <= last; step++)
      for (const index of this.bySteps.get(step) ?? []) found.add(index);
    return [...found];
  }
}

/** Overlaps by each of their buffers. */
interface Partners {
  readonly byInput: ReadonlyMap<number, Overlap>;
  readonly byOutput: ReadonlyMap<number, Overlap>;
}

const partnersOf = (overlaps: readonly Overlap[]): Partners => ({
  byInput: new Map(overlaps.map((overlap) => [overlap.input, overlap])),
  byOutput: new Map(overlaps.map((overlap) => [overlap.output, overlap])),
});

function commonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return (a / x) * b;
}

/** The lowest offset from `from` on at which a buffer of `bytes` may begin for the sake of one that is placed. */
function nextFree(
  from: number,
  bytes: number,
  placed: { readonly offset: number; readonly bytes: number },
  rule: { readonly overlap: Overlap; readonly isInput: boolean } | undefined,
  alignment: number,
): number {
  const end = placed.offset + placed.bytes;
  if (from + bytes <= placed.offset || from >= end) return from;
  if (!rule) return roundUp(end, alignment);
  const { overlap, isInput } = rule;
  if ('multipleOf' in overlap.rule) {
    const step = commonMultiple(overlap.rule.multipleOf, alignment);
    return Math.min(placed.offset + roundUp(from - placed.offset, step), roundUp(end, alignment));
  }
  if (isInput)
    return Math.max(
      from,
      Math.min(placed.offset + roundUp(overlap.rule.behind, alignment), roundUp(end, alignment)),
    );
  return from + overlap.rule.behind <= placed.offset ? from : roundUp(end, alignment);
}

/** Puts buffers one after another, in the given order, at the lowest offset that is free for their whole life. */
export function placeInOrder(
  buffers: readonly Buffer[],
  order: readonly number[],
  alignment: number,
  { byInput, byOutput }: Partners = partnersOf([]),
): Placement {
  const offsets = new Array<number>(buffers.length).fill(0);
  const occupancy = new Occupancy();
  let bytes = 0;
  const ruleFor = (i: number, j: number) => {
    const [asInput, asOutput] = [byInput.get(i), byOutput.get(i)];
    if (asInput?.output === j) return { overlap: asInput, isInput: true };
    return asOutput?.input === j ? { overlap: asOutput, isInput: false } : undefined;
  };
  for (const i of order) {
    const buffer = buffers[i]!;
    const rivals = occupancy.rivals(buffer).sort((a, b) => offsets[a]! - offsets[b]!);
    const avoidAll = (from: number) =>
      rivals.reduce((offset, j) => {
        const placed = { offset: offsets[j]!, bytes: buffers[j]!.bytes };
        return nextFree(offset, buffer.bytes, placed, ruleFor(i, j), alignment);
      }, from);
    let offset = 0;
    for (let next = avoidAll(0); next > offset; next = avoidAll(offset)) offset = next;
    offsets[i] = offset;
    occupancy.add(i, buffer);
    bytes = Math.max(bytes, offset + buffer.bytes);
  }
  return { offsets, bytes };
}

/** Orders that do well on networks: big first, long-lived first, in the order of use, and both ways. */
function candidateOrders(buffers: readonly Buffer[]): number[][] {
  const life = ({ first, last }: Buffer) => last - first + 1;
  const keys: ((buffer: Buffer) => number)[] = [
    (buffer) => -buffer.bytes,
    (buffer) => -buffer.bytes * life(buffer),
    (buffer) => -life(buffer),
    (buffer) => buffer.first,
    (buffer) => -buffer.last,
  ];
  const indexes = buffers.map((_, i) => i);
  return keys.map((key) => [...indexes].sort((a, b) => key(buffers[a]!) - key(buffers[b]!) || a - b));
}

/** Fewer buffers than this are tried in every order. */
const exhaustiveCount = 7;
/** Swaps tried on the best order otherwise: fewer the more buffers there are, so that planning takes no time. */
const swapsTried = (count: number) => Math.min(3000, Math.floor(400_000 / count));

/** Every order of the numbers below `count`, one at a time (Heap's method). */
function* permutations(count: number): Generator<readonly number[]> {
  const order = Array.from({ length: count }, (_, i) => i);
  const counters = new Array<number>(count).fill(0);
  yield order;
  for (let i = 0; i < count; ) {
    if (counters[i]! < i) {
      const j = i % 2 === 0 ? 0 : counters[i]!;
      [order[i], order[j]] = [order[j]!, order[i]!];
      yield order;
      counters[i]!++;
      i = 0;
    } else {
      counters[i++] = 0;
    }
  }
}

/** Pairs of positions to swap, the same in every run. */
function* swaps(count: number): Generator<readonly [number, number]> {
  let state = 1;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * count);
  };
  for (let i = 0; i < swapsTried(count); i++) yield [next(), next()];
}

/**
 * Offsets for buffers such that those alive in the same step do not overlap but as allowed, in as little memory as can be found:
 * greedy placement in several orders, every order where there are few, and otherwise random swaps in the best.
 * Stops at the lower bound.
 */
export function planMemory(
  buffers: readonly Buffer[],
  alignment: number,
  overlaps: readonly Overlap[] = [],
): MemoryPlan {
  const peak = peakOf(buffers, overlaps, alignment);
  const partners = partnersOf(overlaps);
  let best: Placement = { offsets: [], bytes: buffers.length === 0 ? 0 : Number.POSITIVE_INFINITY };
  let bestOrder: number[] = [];
  const attempt = (order: readonly number[]): boolean => {
    const placement = placeInOrder(buffers, order, alignment, partners);
    if (placement.bytes <= best.bytes) bestOrder = [...order];
    if (placement.bytes < best.bytes) best = placement;
    return best.bytes <= peak.bytes;
  };
  const search = (): boolean => {
    if (candidateOrders(buffers).some(attempt)) return true;
    if (buffers.length <= exhaustiveCount) {
      for (const order of permutations(buffers.length)) if (attempt(order)) return true;
      return true;
    }
    for (const [i, j] of swaps(buffers.length)) {
      const order = [...bestOrder];
      [order[i], order[j]] = [order[j]!, order[i]!];
      if (attempt(order)) return true;
    }
    return true;
  };
  if (buffers.length > 0) search();
  return { offsets: best.offsets, bytes: best.bytes, lowerBound: peak.bytes, peakStep: peak.step };
}
