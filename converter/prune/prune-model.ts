import { tensorOf } from '../ir/graph.ts';
import type { Graph } from '../ir/types.ts';
import type { Score } from '../metrics/metric.ts';
import type { AdamState } from '../train/adam.ts';
import { shuffledIndices } from '../train/random.ts';
import type { Trainer } from '../train/trainer.ts';
import { type TrainingInput, TrainingSession, type TrainingSettings } from '../train/training-session.ts';
import { type ChannelMap, type KeptLayer, mapChannels } from './channel-groups.ts';
import { chooseChannels } from './choose-channels.ts';
import { type Cost, type CostMetric, costWithout } from './cost.ts';
import { budgetNotReachable, nothingToPrune } from './errors.ts';
import {
  byMagnitude,
  bySpread,
  byTaylor,
  type Criterion,
  type Importance,
  inputMeans,
} from './importance.ts';
import { planUnits, type Schedule, type TrainingUnit } from './plan-units.ts';
import { removeChannels } from './remove-channels.ts';

export interface PruneTarget {
  readonly metric: CostMetric;
  /** What may be left, of what the model costs now; above 0 and below 1. */
  readonly share: number;
}

export interface PruneSettings extends TrainingSettings {
  readonly target: PruneTarget;
  readonly criterion: Criterion;
  readonly schedule: Schedule;
  /** Channel counts become multiples of this. */
  readonly step: number;
  readonly fineTune: boolean;
}

/** Where a run stands between two pieces of training; enough to go on from. */
export interface PruneState {
  /** The next piece of training. */
  readonly unit: number;
  readonly graph: Graph;
  readonly adam: AdamState;
}

export interface PruneHooks {
  onProgress?(progress: { done: number; total: number; loss: number; round: number; rounds: number }): void;
  onStage?(text: string): void;
  onCheckpoint?(state: PruneState): void;
  /** Gives signals a turn; throws to stop. */
  breathe?(): Promise<void>;
  /** Instructions of one inference on a board; used where the target is instructions. */
  measure?(graph: Graph): Promise<number>;
}

export interface LayerChange {
  readonly name: string;
  readonly before: number;
  readonly after: number;
}

export interface PrunedModel {
  readonly graph: Graph;
  readonly before: Cost;
  readonly after: Cost;
  /** Channels of the layers that make them. */
  readonly layers: readonly LayerChange[];
  readonly kept: readonly KeptLayer[];
  /** On samples that training did not see; null without labels. */
  readonly score: { readonly before: Score; readonly after: Score } | null;
  readonly measured: { readonly before: number; readonly after: number } | null;
}

/** Samples for means and spreads; more changes them by little. */
const statisticSamples = 512;
const taylorBatches = 32;
/** Attempts to hit a measured target. */
const measuredAttempts = 6;

interface Session {
  readonly training: TrainingSession;
  readonly settings: PruneSettings;
  readonly hooks: PruneHooks;
  readonly before: Cost;
}

async function openSession(
  input: TrainingInput,
  settings: PruneSettings,
  hooks: PruneHooks,
): Promise<Session> {
  const trains = settings.fineTune || settings.criterion === 'taylor';
  return {
    training: await TrainingSession.open(input, settings, trains),
    settings,
    hooks,
    before: costWithout(input.graph, mapChannels(input.graph), new Set()),
  };
}

async function importanceOf(
  { settings, training }: Session,
  graph: Graph,
  map: ChannelMap,
): Promise<Importance> {
  const { criterion, batch, seed } = settings;
  if (criterion === 'l1' || criterion === 'l2') return byMagnitude(graph, map, criterion === 'l1' ? 1 : 2);
  if (criterion === 'batch-norm') {
    const { inputs, count } = training.typicalSamples(statisticSamples);
    return bySpread(graph, map, inputs, count);
  }
  const { samples } = training.objective!;
  const size = Math.min(batch, samples.length);
  const order = shuffledIndices(samples.length, seed + 17);
  const batches = Array.from({ length: Math.min(taylorBatches, Math.floor(samples.length / size)) }, (_, i) =>
    order.subarray(i * size, (i + 1) * size).map((n) => samples[n]!),
  );
  return byTaylor(training.tf, graph, map, training.trainer(graph), batches);
}

/** Rates the channels of a graph; the result removes them until a share of the original cost is left. */
async function prepareCut(session: Session, graph: Graph): Promise<(share: number) => Graph> {
  const { hooks, settings, before } = session;
  const { metric } = settings.target;
  const map = mapChannels(graph);
  hooks.onStage?.(`rating channels by ${settings.criterion}`);
  const importance = await importanceOf(session, graph, map);
  const { inputs, count } = session.training.typicalSamples(statisticSamples);
  const means = await inputMeans(graph, inputs, count);
  return (share) => {
    const target = { metric, share, whole: before };
    const { removed } = chooseChannels(graph, map, importance, target, settings.step);
    return removeChannels(graph, map, removed, means);
  };
}

/** A cut by what a board counts: the modelled limit is moved until the measured one holds. */
async function cutMeasured(session: Session, graph: Graph, share: number, original: number): Promise<Graph> {
  const cut = await prepareCut(session, graph);
  let wanted = share;
  let best: { graph: Graph; instructions: number } | undefined;
  let closest = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < measuredAttempts; attempt++) {
    const made = cut(wanted);
    const instructions = await session.hooks.measure!(made);
    const measured = instructions / original;
    closest = Math.min(closest, measured);
    if (measured <= share && (!best || instructions > best.instructions))
      best = { graph: made, instructions };
    if (best && best.instructions / original > share * 0.96) break;
    wanted *= measured > share ? (share / measured) * 0.99 : Math.min(1.05, share / measured);
  }
  if (!best) throw budgetNotReachable('instructions', share, closest, mapChannels(graph).kept);
  return best.graph;
}

/** Refuses what cannot be reached whatever the importance, before any training. */
function checkReachable({ training, settings, before }: Session): ChannelMap {
  const { graph } = training.input;
  const map = mapChannels(graph);
  if (map.units.length === 0) throw nothingToPrune(map.kept);
  const { metric, share } = settings.target;
  const flat = byMagnitude(graph, map, 1);
  const choice = chooseChannels(graph, map, flat, { metric, share, whole: before }, settings.step);
  if (!choice.reached) {
    throw budgetNotReachable(metric, share, choice.cost[metric] / before[metric], map.kept);
  }
  return map;
}

async function train(
  session: Session,
  trainer: Trainer,
  unit: TrainingUnit,
  index: number,
  units: readonly TrainingUnit[],
) {
  const { hooks, settings } = session;
  const total = units.reduce((sum, one) => sum + one.steps, 0);
  const done = units.slice(0, index).reduce((sum, one) => sum + one.steps, 0);
  const rate = (step: number) => settings.rate * unit.rateAt(step);
  await trainer.epoch(index, rate, unit.steps, async (step, loss) => {
    hooks.onProgress?.({
      done: done + step,
      total,
      loss,
      round: unit.round + 1,
      rounds: units.at(-1)!.round + 1,
    });
    await hooks.breathe?.();
  });
}

function layerChanges(before: Graph, after: Graph): LayerChange[] {
  const channels = (graph: Graph, name: string) => tensorOf(graph, name).type.shape.at(-1)!;
  return before.nodes
    .filter((node) => node.op === 'conv2d' || node.op === 'fullyConnected')
    .map((node) => {
      const name = node.outputs[0]!;
      return { name: node.origin, before: channels(before, name), after: channels(after, name) };
    });
}

/**
 * Removes channels of a float graph until the target holds, and trains what is left. The graph really gets smaller:
 * weights, biases and shapes. The same input, settings and seed give the same result, also when it goes on `from` a
 * checkpoint. Throws E_PRUNE_BUDGET and E_PRUNE_NOTHING, and E_TRAIN_LABELS where labels are needed and absent.
 */
export async function pruneModel(
  input: TrainingInput,
  settings: PruneSettings,
  hooks: PruneHooks = {},
  from?: PruneState,
): Promise<PrunedModel> {
  const session = await openSession(input, settings, hooks);
  const { kept } = checkReachable(session);
  const { metric, share } = settings.target;
  const isMeasured = metric === 'instructions' && hooks.measure !== undefined;
  const original = isMeasured ? await hooks.measure!(input.graph) : undefined;
  const before = await session.training.score(input.graph);
  const units = planUnits(
    settings.schedule,
    settings.fineTune ? settings.epochs : 0,
    session.training.stepsPerEpoch,
    share,
  );
  let graph = from?.graph ?? input.graph;
  let trainer: Trainer | undefined;
  for (let i = from?.unit ?? 0; i < units.length; i++) {
    const unit = units[i]!;
    if (unit.share !== undefined) {
      const isLast = unit.share === share;
      graph =
        original !== undefined && isLast
          ? await cutMeasured(session, graph, share, original)
          : (await prepareCut(session, graph))(unit.share);
      trainer = undefined;
    }
    if (unit.steps === 0) continue;
    hooks.onStage?.('training');
    trainer ??= session.training.trainer(graph, unit.share === undefined ? from?.adam : undefined);
    await train(session, trainer, unit, i, units);
    graph = trainer.result();
    hooks.onCheckpoint?.({ unit: i + 1, graph, adam: trainer.adam.state });
  }
  const after = await session.training.score(graph);
  return {
    graph,
    before: session.before,
    after: costWithout(graph, mapChannels(graph), new Set()),
    layers: layerChanges(input.graph, graph),
    kept,
    score: before && after ? { before, after } : null,
    measured: original === undefined ? null : { before: original, after: await hooks.measure!(graph) },
  };
}
