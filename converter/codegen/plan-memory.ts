/** A block of memory needed from step `first` to step `last`, both included. */
export interface Buffer {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
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

interface Peak {
  readonly bytes: number;
  readonly step: number;
}

/** The step with the most live bytes: a sweep over the steps where lives begin and end. */
function peakOf(buffers: readonly Buffer[], alignment: number): Peak {
  const change = new Map<number, number>();
  for (const { bytes, first, last } of buffers) {
    const size = roundUp(bytes, alignment);
    change.set(first, (change.get(first) ?? 0) + size);
    change.set(last + 1, (change.get(last + 1) ?? 0) - size);
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

/** Puts buffers one after another, in the given order, at the lowest offset that is free for their whole life. */
export function placeInOrder(
  buffers: readonly Buffer[],
  order: readonly number[],
  alignment: number,
): Placement {
  const offsets = new Array<number>(buffers.length).fill(0);
  const occupancy = new Occupancy();
  let bytes = 0;
  for (const i of order) {
    const buffer = buffers[i]!;
    let offset = 0;
    for (const j of occupancy.rivals(buffer).sort((a, b) => offsets[a]! - offsets[b]!)) {
      if (offset + buffer.bytes <= offsets[j]!) break;
      offset = Math.max(offset, roundUp(offsets[j]! + buffers[j]!.bytes, alignment));
    }
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
 * Offsets for buffers such that those alive in the same step do not overlap, in as little memory as can be found:
 * greedy placement in several orders, every order where there are few, and otherwise random swaps in the best.
 * Stops at the lower bound.
 */
export function planMemory(buffers: readonly Buffer[], alignment: number): MemoryPlan {
  const peak = peakOf(buffers, alignment);
  let best: Placement = { offsets: [], bytes: buffers.length === 0 ? 0 : Number.POSITIVE_INFINITY };
  let bestOrder: number[] = [];
  const attempt = (order: readonly number[]): boolean => {
    const placement = placeInOrder(buffers, order, alignment);
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
