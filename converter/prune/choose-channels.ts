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

/** The most that may be left; what is not named has no limit. */
type Limits = Partial<Cost>;

const within = (cost: Cost, limits: Limits): boolean =>
  Object.entries(limits).every(([metric, limit]) => cost[metric as CostMetric] <= limit);

/** Share of the saved MACs that modelled time has to save too. */
const savedTime = 0.95;

/** Limits for a share of what the whole network, `whole`, costs. Fewer MACs are asked for as less time. */
function limitsOf({ metric, share }: Target, whole: Cost): Limits {
  const limits: Limits = { [metric]: whole[metric] * share };
  if (metric !== 'macs') return limits;
  return { ...limits, instructions: whole.instructions * (1 - savedTime * (1 - share)) };
}

interface Target {
  readonly metric: CostMetric;
  /** What may be left of `whole`. */
  readonly share: number;
  /** What the network cost before anything was removed. */
  readonly whole: Cost;
}

/**
 * Removes channels, always those with the least importance for what they save, until what is left of `metric` is within
 * the target. Where that is MACs, modelled time falls with them as far as it can. Layers are left with multiples of
 * `step` channels, which the kernels like. A last removal that saves far more than is needed is not made where smaller
 * ones of less importance reach the target too.
 */
export function chooseChannels(
  graph: Graph,
  map: ChannelMap,
  importance: Importance,
  target: Target,
  step: number,
): Choice {
  const { metric, share, whole } = target;
  const saved = savedMetric(metric);
  const choice = removeUntil(graph, map, importance, limitsOf(target, whole), saved, step);
  if (choice.reached || metric !== 'macs') return choice;
  return removeUntil(graph, map, importance, { macs: whole.macs * share }, saved, step);
}

function removeUntil(
  graph: Graph,
  map: ChannelMap,
  importance: Importance,
  limits: Limits,
  saved: CostMetric,
  step: number,
): Choice {
  const queues = queuesOf(map, importance, step);
  const removed = new Set<number>();
  let cost = costWithout(graph, map, removed);
  let open: readonly Queue[] = queues;
  let whole: { readonly removed: Set<number>; readonly loss: number } | undefined;
  while (!within(cost, limits)) {
    const best = bestChunk(graph, map, importance, open, removed, cost[saved], saved, step);
    if (!best) break;
    const after = new Set([...removed, ...best.chunk.map((group) => group.id)]);
    const next = costWithout(graph, map, after);
    if (within(next, limits)) {
      // A way to the end; the search goes on without this step, for one that costs less.
      const loss = totalLoss(after, importance);
      if (!whole || loss < whole.loss) whole = { removed: after, loss };
      open = open.filter((queue) => queue !== best.queue);
      continue;
    }
    if (whole && totalLoss(after, importance) >= whole.loss) break;
    for (const group of best.chunk) removed.add(group.id);
    best.queue.next += best.chunk.length;
    cost = next;
  }
  const chosen = whole?.removed ?? removed;
  return {
    removed: chosen,
    cost: costWithout(graph, map, chosen),
    reached: whole !== undefined || within(cost, limits),
  };
}

function totalLoss(removed: ReadonlySet<number>, importance: Importance): number {
  let sum = 0;
  for (const id of removed) sum += importance.get(id)!;
  return sum;
}

const lossOf = (groups: readonly ChannelGroup[], importance: Importance) =>
  groups.reduce((sum, group) => sum + importance.get(group.id)!, 0);

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
