import type { Graph } from '../ir/types.ts';
import type { ChannelGroup, ChannelMap } from './channel-groups.ts';
import { type Cost, type CostMetric, costWithout } from './cost.ts';
import type { Importance } from './importance.ts';

/** Layers keep at least this share of their channels: an empty layer cuts the network. */
const leastShare = 0.1;

export interface Choice {
  readonly removed: ReadonlySet<number>;
  readonly cost: Cost;
  /** Whether the target was reached. */
  readonly reached: boolean;
}

/** One unit with its channels from the least important one on. */
interface Queue {
  readonly groups: readonly ChannelGroup[];
  readonly least: number;
  next: number;
}

function queuesOf(map: ChannelMap, importance: Importance, step: number): Queue[] {
  return map.units.map(({ groups }) => {
    const sorted = [...groups].sort((a, b) => importance.get(a.id)! - importance.get(b.id)! || a.id - b.id);
    const least = Math.min(groups.length, Math.max(step, Math.ceil(groups.length * leastShare)));
    return { groups: sorted, least, next: 0 };
  });
}

/** The channels to remove next from a unit, so that a multiple of `step` is left; empty when none may go. */
function nextChunk(queue: Queue, step: number): readonly ChannelGroup[] {
  const left = queue.groups.length - queue.next;
  const size = left % step === 0 ? step : left % step;
  return left - size < queue.least ? [] : queue.groups.slice(queue.next, queue.next + size);
}

/** What a removal should save: time where MACs or instructions are asked for, since MACs alone do not tell it. */
const savedMetric = (metric: CostMetric): CostMetric => (metric === 'bytes' ? 'bytes' : 'instructions');

/**
 * Removes channels, always those with the least importance for what they save, until `metric` is at most `limit`.
 * Layers are left with multiples of `step` channels, which the kernels like.
 */
export function chooseChannels(
  graph: Graph,
  map: ChannelMap,
  importance: Importance,
  target: { readonly metric: CostMetric; readonly limit: number },
  step: number,
): Choice {
  const queues = queuesOf(map, importance, step);
  const removed = new Set<number>();
  const saved = savedMetric(target.metric);
  let cost = costWithout(graph, map, removed);
  while (cost[target.metric] > target.limit) {
    const best = bestChunk(graph, map, importance, queues, removed, cost[saved], saved, step);
    if (!best) return { removed, cost, reached: false };
    for (const group of best.chunk) removed.add(group.id);
    best.queue.next += best.chunk.length;
    cost = costWithout(graph, map, removed);
  }
  giveBack(graph, map, importance, queues, removed, target, step);
  return { removed, cost: costWithout(graph, map, removed), reached: true };
}

const lossOf = (groups: readonly ChannelGroup[], importance: Importance) =>
  groups.reduce((sum, group) => sum + importance.get(group.id)!, 0);

/** The last removal may have saved more than was needed: what fits in again comes back, most important first. */
function giveBack(
  graph: Graph,
  map: ChannelMap,
  importance: Importance,
  queues: readonly Queue[],
  removed: Set<number>,
  target: { readonly metric: CostMetric; readonly limit: number },
  step: number,
): void {
  for (;;) {
    const last = queues
      .filter((queue) => queue.next >= step)
      .map((queue) => ({ queue, chunk: queue.groups.slice(queue.next - step, queue.next) }))
      .sort((a, b) => lossOf(b.chunk, importance) - lossOf(a.chunk, importance));
    const fits = last.find(({ chunk }) => {
      const gone = new Set(removed);
      for (const group of chunk) gone.delete(group.id);
      return costWithout(graph, map, gone)[target.metric] <= target.limit;
    });
    if (!fits) return;
    for (const group of fits.chunk) removed.delete(group.id);
    fits.queue.next -= fits.chunk.length;
  }
}

function bestChunk(
  graph: Graph,
  map: ChannelMap,
  importance: Importance,
  queues: readonly Queue[],
  removed: ReadonlySet<number>,
  cost: number,
  saved: CostMetric,
  step: number,
) {
  let best: { queue: Queue; chunk: readonly ChannelGroup[]; price: number } | undefined;
  for (const queue of queues) {
    const chunk = nextChunk(queue, step);
    if (chunk.length === 0) continue;
    const after = costWithout(graph, map, new Set([...removed, ...chunk.map((group) => group.id)]));
    const price = lossOf(chunk, importance) / Math.max(cost - after[saved], Number.MIN_VALUE);
    if (!best || price < best.price) best = { queue, chunk, price };
  }
  return best;
}
