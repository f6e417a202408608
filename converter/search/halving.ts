import { bestFirst, type Outcome, ranksOf } from './pareto.ts';

/** One trial in so many goes on from one rung to the next, beside those that nothing beats. */
export const reduction = 3;
/** Fewer samples than this tell nothing about an accuracy. */
const leastSamples = 64;
/** Fewer trials than this on a rung are no field to be best in. */
const leastPeers = 6;
const mostRungs = 3;

/** Samples of each rung, fewest first, each a multiple of the one before: 1000 becomes 111, 333, 1000. */
export function rungsFor(samples: number): number[] {
  const rungs = [samples];
  while (rungs.length < mostRungs && rungs[0]! / reduction >= leastSamples) {
    rungs.unshift(Math.floor(rungs[0]! / reduction));
  }
  return rungs;
}

function isSame(a: Outcome, b: Outcome): boolean {
  return a.violation === b.violation && a.objectives.every((value, i) => value === b.objectives[i]);
}

/**
 * Whether a trial is worth more effort, beside others at the same rung: it is among the best third, or nothing there
 * beats it and few came to the very same. This is successive halving without waiting for a whole field (Li et al. 2020), ordered by non-dominated
 * rank where there are several objectives (Schmucker et al. 2021).
 */
export function isPromising(own: Outcome, peers: readonly Outcome[]): boolean {
  if (peers.length < leastPeers) return true;
  const all = [...peers, own];
  const place = bestFirst(all).indexOf(peers.length);
  if (place < Math.ceil(all.length / reduction)) return true;
  const same = peers.filter((peer) => isSame(peer, own)).length;
  return same < reduction && ranksOf(all)[peers.length] === 0;
}
