/** What a trial came to. */
export interface Outcome {
  /** Every one to be as small as possible. */
  readonly objectives: readonly number[];
  /** By how much limits are missed, relative to the limits; 0 where all are kept. */
  readonly violation: number;
}

/** Not worse in anything and better in something. */
export function dominates(a: readonly number[], b: readonly number[]): boolean {
  return a.every((value, i) => value <= b[i]!) && a.some((value, i) => value < b[i]!);
}

/** Keeping limits comes before everything else; outside them, the one nearer to them is better (Deb et al. 2002, section VI). */
export function beats(a: Outcome, b: Outcome): boolean {
  if (a.violation !== b.violation) return a.violation < b.violation;
  return a.violation === 0 && dominates(a.objectives, b.objectives);
}

/** Rank of each outcome: 0 where none beats it, 1 where only those of rank 0 do, and so on (non-dominated sorting). */
export function ranksOf(outcomes: readonly Outcome[]): number[] {
  const ranks = new Array<number>(outcomes.length).fill(-1);
  const beatenBy = outcomes.map((one) => outcomes.filter((other) => beats(other, one)).length);
  let front = [...outcomes.keys()].filter((i) => beatenBy[i] === 0);
  for (let rank = 0; front.length > 0; rank++) {
    for (const i of front) ranks[i] = rank;
    const freed = new Set<number>();
    for (const i of front) {
      for (const j of outcomes.keys()) {
        if (beats(outcomes[i]!, outcomes[j]!) && --beatenBy[j]! === 0) freed.add(j);
      }
    }
    front = [...freed].sort((a, b) => a - b);
  }
  return ranks;
}

/** Indices of the points that no other dominates; of equal points only the first. */
export function paretoFront(points: readonly (readonly number[])[]): number[] {
  return [...points.keys()].filter((i) =>
    points.every((other, j) => {
      if (i === j) return true;
      const same = other.every((value, k) => value === points[i]![k]);
      return same ? i < j : !dominates(other, points[i]!);
    }),
  );
}

/**
 * How lonely each point is among those of its rank: the sum over objectives of the distance between its neighbours,
 * relative to the range; infinite at the ends (Deb et al. 2002, section III B).
 */
export function crowdingDistances(outcomes: readonly Outcome[], ranks: readonly number[]): number[] {
  const distances = new Array<number>(outcomes.length).fill(0);
  for (const rank of new Set(ranks)) {
    const members = [...outcomes.keys()].filter((i) => ranks[i] === rank);
    for (const axis of outcomes[members[0]!]!.objectives.keys()) {
      const at = (i: number) => outcomes[i]!.objectives[axis]!;
      const sorted = [...members].sort((a, b) => at(a) - at(b));
      const range = at(sorted.at(-1)!) - at(sorted[0]!);
      // Where all are alike there are no ends.
      if (range === 0) continue;
      for (const [place, i] of sorted.entries()) {
        const atEnd = place === 0 || place === sorted.length - 1;
        if (atEnd) distances[i] = Infinity;
        else distances[i]! += (at(sorted[place + 1]!) - at(sorted[place - 1]!)) / range;
      }
    }
  }
  return distances;
}

/** Indices from the most to the least wanted outcome: by rank, then the lonelier first, then the earlier. */
export function bestFirst(outcomes: readonly Outcome[]): number[] {
  const ranks = ranksOf(outcomes);
  const distances = crowdingDistances(outcomes, ranks);
  return [...outcomes.keys()].sort(
    (a, b) => ranks[a]! - ranks[b]! || compareDistance(distances[b]!, distances[a]!) || a - b,
  );
}

/** Difference of two distances that may both be infinite. */
function compareDistance(a: number, b: number): number {
  return a === b ? 0 : a - b;
}
