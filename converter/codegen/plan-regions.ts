import { type Buffer, type MemoryPlan, type Overlap, peakOf, planMemory } from './plan-memory.ts';

/** Buffers in several memories. */
export interface RegionPlan extends Pick<MemoryPlan, 'lowerBound' | 'peakStep'> {
  /** Where each buffer is, in the order given. */
  readonly places: readonly { readonly region: number; readonly offset: number }[];
  /** Bytes used of each region; more than it has where no plan was found that fits. */
  readonly bytes: readonly number[];
}

interface Problem {
  readonly buffers: readonly Buffer[];
  readonly overlaps: readonly Overlap[];
}

/** The buffers of some indexes, and the overlaps among them. */
function subset({ buffers, overlaps }: Problem, indexes: readonly number[]): Problem {
  const position = new Map(indexes.map((index, i) => [index, i]));
  return {
    buffers: indexes.map((index) => buffers[index]!),
    overlaps: overlaps.flatMap(({ input, output, rule }) => {
      const [from, to] = [position.get(input), position.get(output)];
      return from === undefined || to === undefined ? [] : [{ input: from, output: to, rule }];
    }),
  };
}

/** Buffers that move to another region before the search gives up. */
const mostMoves = 64;

/** Plans for the buffers that stay in a region, and for those that leave it. */
interface Split {
  readonly kept: readonly number[];
  readonly moved: readonly number[];
}

function split(count: number, leaving: ReadonlySet<number>): Split {
  const all = Array.from({ length: count }, (_, i) => i);
  return { kept: all.filter((i) => !leaving.has(i)), moved: all.filter((i) => leaving.has(i)) };
}

/**
 * The buffer that should leave a region next: one that is alive where most is, such that the rest needs least; the
 * smaller one where that is the same. Undefined where none fits elsewhere.
 */
function nextToLeave(
  problem: Problem,
  leaving: ReadonlySet<number>,
  alignment: number,
  fitsElsewhere: (moved: readonly number[]) => boolean,
  enough: number,
): number | undefined {
  const { kept } = split(problem.buffers.length, leaving);
  const { buffers, overlaps } = subset(problem, kept);
  const { step } = peakOf(buffers, overlaps, alignment);
  const after = (index: number) => {
    const left = subset(
      problem,
      kept.filter((i) => i !== index),
    );
    return Math.max(enough, peakOf(left.buffers, left.overlaps, alignment).bytes);
  };
  const candidates = kept
    .filter((i) => problem.buffers[i]!.first <= step && step <= problem.buffers[i]!.last)
    .filter((i) => fitsElsewhere(split(problem.buffers.length, new Set([...leaving, i])).moved))
    .map((index) => ({ index, left: after(index), bytes: problem.buffers[index]!.bytes }));
  return candidates.sort((a, b) => a.left - b.left || a.bytes - b.bytes || a.index - b.index)[0]?.index;
}

const overflowOf = (bytes: readonly number[], sizes: readonly number[]) =>
  bytes.reduce((sum, used, i) => sum + Math.max(0, used - sizes[i]!), 0);

/** One plan out of those for the buffers that stay and those that left. */
function joined({ kept, moved }: Split, main: MemoryPlan, rest: RegionPlan): RegionPlan {
  const places = new Array<RegionPlan['places'][number]>(kept.length + moved.length);
  for (const [i, index] of kept.entries()) places[index] = { region: 0, offset: main.offsets[i]! };
  for (const [i, index] of moved.entries()) {
    const { region, offset } = rest.places[i]!;
    places[index] = { region: region + 1, offset };
  }
  const { lowerBound, peakStep } = main;
  return { places, bytes: [main.bytes, ...rest.bytes], lowerBound, peakStep };
}

/**
 * Places buffers in memories of the given sizes, the preferred one first: all in that one if they fit, and otherwise
 * with as few and small ones in the next as it takes. Overlaps hold among buffers of one memory only.
 * `lowerBound` and `peakStep` are those of all buffers in one memory.
 */
export function planRegions(
  buffers: readonly Buffer[],
  alignment: number,
  overlaps: readonly Overlap[],
  sizes: readonly number[],
): RegionPlan {
  const problem = { buffers, overlaps };
  const [size = Number.POSITIVE_INFINITY, ...others] = sizes;
  const whole = planMemory(buffers, alignment, overlaps);
  const alone: RegionPlan = {
    places: whole.offsets.map((offset) => ({ region: 0, offset })),
    bytes: [whole.bytes, ...others.map(() => 0)],
    lowerBound: whole.lowerBound,
    peakStep: whole.peakStep,
  };
  if (others.length === 0 || whole.bytes <= size) return alone;
  const elsewhere = (moved: readonly number[]) => {
    const { buffers: left, overlaps: among } = subset(problem, moved);
    return planRegions(left, alignment, among, others);
  };
  const fitsElsewhere = (moved: readonly number[]) => overflowOf(elsewhere(moved).bytes, others) === 0;
  const leaving = new Set<number>();
  let best = alone;
  while (leaving.size < mostMoves) {
    const next = nextToLeave(problem, leaving, alignment, fitsElsewhere, size);
    if (next === undefined) return best;
    leaving.add(next);
    const parts = split(buffers.length, leaving);
    const stayed = subset(problem, parts.kept);
    const main = planMemory(stayed.buffers, alignment, stayed.overlaps);
    if (main.bytes < best.bytes[0]!)
      best = {
        ...joined(parts, main, elsewhere(parts.moved)),
        lowerBound: whole.lowerBound,
        peakStep: whole.peakStep,
      };
    if (main.bytes <= size) return best;
  }
  return best;
}
