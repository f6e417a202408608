import { evaluateFloat, type FloatBatch } from '../evaluate/float.ts';
import { type Score, score } from '../evaluate/metrics.ts';
import { toGraphLayout } from '../evaluate/ports.ts';
import { tensorOf } from '../ir/graph.ts';
import { elementCount } from '../ir/tensor.ts';
import type { Graph } from '../ir/types.ts';
import type { Tf } from '../ops/define-op.ts';
import { Adam, type AdamState } from '../train/adam.ts';
import { loadTraining } from '../train/load-training.ts';
import {
  lossGraph,
  type Objective,
  objectiveFor,
  type Teaching,
  type TrainingLabels,
} from '../train/objective.ts';
import { shuffledIndices } from '../train/random.ts';
import { Trainer, type TrainingSet, trainingSet } from '../train/trainer.ts';
import { type ChannelMap, type KeptLayer, mapChannels } from './channel-groups.ts';
import { type Choice, chooseChannels } from './choose-channels.ts';
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

export interface PruneSettings {
  readonly target: PruneTarget;
  readonly criterion: Criterion;
  readonly schedule: Schedule;
  /** Channel counts become multiples of this. */
  readonly step: number;
  readonly fineTune: boolean;
  /** Learn from the unpruned model beside the labels. */
  readonly distill: boolean;
  readonly epochs: number;
  readonly batch: number;
  readonly rate: number;
  readonly seed: number;
}

export interface PruneInput {
  /** Optimized, float. */
  readonly graph: Graph;
  /** Samples in the user's axis order. */
  readonly inputs: FloatBatch;
  readonly count: number;
  readonly labels: TrainingLabels & { readonly shape?: readonly number[] };
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
/** Softening that keeps what the teacher says of wrong classes, and its share of the loss. */
const [temperature, teacherShare] = [4, 0.7];
/** Share of the samples that is held out to tell how good the result is, and the most of them. */
const [heldOutShare, mostHeldOut] = [0.1, 1000];
/** Attempts to hit a measured target. */
const measuredAttempts = 6;

interface Session {
  readonly tf: Tf;
  readonly input: PruneInput;
  readonly settings: PruneSettings;
  readonly hooks: PruneHooks;
  readonly objective: Objective | undefined;
  readonly heldOut: Int32Array;
  readonly teaching: Teaching | undefined;
  readonly data: TrainingSet;
  readonly before: Cost;
}

/** Samples for training and those held out. */
function split(samples: Int32Array, seed: number): { training: Int32Array; heldOut: Int32Array } {
  const order = shuffledIndices(samples.length, seed);
  const held = samples.length < 20 ? 0 : Math.min(mostHeldOut, Math.round(samples.length * heldOutShare));
  const pick = (indices: Int32Array) => indices.map((i) => samples[i]!).sort();
  return { training: pick(order.subarray(held)), heldOut: pick(order.subarray(0, held)) };
}

const rowsOf = (source: Float32Array, size: number, indices: Int32Array) => {
  const rows = new Float32Array(indices.length * size);
  for (const [i, n] of indices.entries()) rows.set(source.subarray(n * size, (n + 1) * size), i * size);
  return rows;
};

/** Logits, or outputs, of the unpruned model for all samples, in the graph's layout. */
async function teacherOf(input: PruneInput): Promise<Teaching> {
  const { graph } = lossGraph(input.graph);
  const port = graph.outputs[0]!;
  const [user] = await evaluateFloat(graph, input.inputs, input.count);
  const size = elementCount(port.shape);
  const outputs = new Float32Array(user!.length);
  for (let n = 0; n < input.count; n++)
    outputs.set(toGraphLayout(port, user!.subarray(n * size, (n + 1) * size)), n * size);
  return { outputs, share: teacherShare, temperature };
}

function needsObjective({ criterion, fineTune }: PruneSettings): boolean {
  return fineTune || criterion === 'taylor';
}

async function openSession(input: PruneInput, settings: PruneSettings, hooks: PruneHooks): Promise<Session> {
  const { graph, inputs, count, labels } = input;
  const whole = needsObjective(settings)
    ? objectiveFor(graph, inputs, count, labels, settings.distill)
    : undefined;
  const all = Int32Array.from({ length: count }, (_, i) => i);
  const { training, heldOut } = split(whole?.samples ?? all, settings.seed);
  const teaches = settings.distill && whole !== undefined;
  return {
    tf: await loadTraining(),
    input,
    settings,
    hooks,
    objective: whole && { ...whole, samples: training },
    heldOut: scoredSamples(labels, heldOut, all, training),
    teaching: teaches ? await teacherOf(input) : undefined,
    data: trainingSet(graph, inputs, count),
    before: costWithout(graph, mapChannels(graph), new Set()),
  };
}

/** An autoencoder trains on normal samples only, but is scored on all others too. */
function scoredSamples(
  labels: TrainingLabels,
  heldOut: Int32Array,
  all: Int32Array,
  training: Int32Array,
): Int32Array {
  if (!labels.data || training.length + heldOut.length === all.length) return heldOut;
  const trained = new Set(training);
  return all.filter((n) => !trained.has(n));
}

async function scoreOf(session: Session, graph: Graph): Promise<Score | undefined> {
  const { labels, inputs, count } = session.input;
  const { heldOut } = session;
  if (!labels.data || heldOut.length === 0) return undefined;
  const samples = inputs.map((source) => rowsOf(source, source.length / count, heldOut));
  const [outputs] = await evaluateFloat(graph, samples, heldOut.length);
  const each = labels.data.length / count;
  const data = rowsOf(Float32Array.from(labels.data), each, heldOut);
  return score(samples[0]!, outputs!, { data, shape: [heldOut.length, each] });
}

function statistics({ input, heldOut }: Session) {
  const held = new Set(heldOut);
  const all = Int32Array.from({ length: input.count }, (_, i) => i).filter((n) => !held.has(n));
  const stride = Math.max(1, Math.floor(all.length / statisticSamples));
  const picked = all.filter((_, i) => i % stride === 0).subarray(0, statisticSamples);
  const inputs = input.inputs.map((source) => rowsOf(source, source.length / input.count, picked));
  return { inputs, count: picked.length };
}

function trainerFor(session: Session, graph: Graph, adam?: AdamState): Trainer {
  const { tf, objective, teaching, data, settings } = session;
  const { batch, seed } = settings;
  return new Trainer(
    tf,
    graph,
    { data, objective: objective!, ...(teaching ? { teaching } : {}), batch, seed },
    new Adam(adam),
  );
}

async function importanceOf(session: Session, graph: Graph, map: ChannelMap): Promise<Importance> {
  const { criterion, batch, seed } = session.settings;
  if (criterion === 'l1' || criterion === 'l2') return byMagnitude(graph, map, criterion === 'l1' ? 1 : 2);
  if (criterion === 'batch-norm') {
    const { inputs, count } = statistics(session);
    return bySpread(graph, map, inputs, count);
  }
  const { samples } = session.objective!;
  const size = Math.min(batch, samples.length);
  const order = shuffledIndices(samples.length, seed + 17);
  const batches = Array.from({ length: Math.min(taylorBatches, Math.floor(samples.length / size)) }, (_, i) =>
    order.subarray(i * size, (i + 1) * size).map((n) => samples[n]!),
  );
  return byTaylor(session.tf, graph, map, trainerFor(session, graph), batches);
}

/** Removes channels until the target's share of the original cost is left. */
async function cut(session: Session, graph: Graph, share: number): Promise<Graph> {
  const { hooks, settings, before } = session;
  const { metric } = settings.target;
  const map = mapChannels(graph);
  hooks.onStage?.(`rating channels by ${settings.criterion}`);
  const importance = await importanceOf(session, graph, map);
  const { inputs, count } = statistics(session);
  const means = await inputMeans(graph, inputs, count);
  const choose = (limit: number): Choice =>
    chooseChannels(graph, map, importance, { metric, limit }, settings.step);
  const choice = choose(before[metric] * share);
  return removeChannels(graph, map, choice.removed, means);
}

/** Like `cut`, but by what a board counts: the modelled limit is moved until the measured one holds. */
async function cutMeasured(
  session: Session,
  graph: Graph,
  share: number,
  original: number,
): Promise<{ graph: Graph; instructions: number }> {
  let wanted = share;
  let best: { graph: Graph; instructions: number } | undefined;
  let closest = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < measuredAttempts; attempt++) {
    const made = await cut(session, graph, wanted);
    const instructions = await session.hooks.measure!(made);
    const measured = instructions / original;
    closest = Math.min(closest, measured);
    if (measured <= share && (!best || instructions > best.instructions))
      best = { graph: made, instructions };
    if (best && best.instructions / original > share * 0.96) break;
    wanted *= measured > share ? (share / measured) * 0.99 : Math.min(1.05, share / measured);
  }
  if (!best) throw budgetNotReachable('instructions', share, closest, mapChannels(graph).kept);
  return best;
}

/** Refuses what cannot be reached whatever the importance, before any training. */
function checkReachable({ input, settings, before }: Session): ChannelMap {
  const map = mapChannels(input.graph);
  if (map.units.length === 0) throw nothingToPrune(map.kept);
  const { metric, share } = settings.target;
  const limit = before[metric] * share;
  const flat = byMagnitude(input.graph, map, 1);
  const choice = chooseChannels(input.graph, map, flat, { metric, limit }, settings.step);
  if (!choice.reached) {
    throw budgetNotReachable(metric, share, choice.cost[metric] / before[metric], map.kept);
  }
  return map;
}

function stepsPerEpoch({ objective, settings }: Session): number {
  const samples = objective?.samples.length ?? 0;
  return Math.max(1, Math.floor(samples / Math.min(settings.batch, Math.max(1, samples))));
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
  input: PruneInput,
  settings: PruneSettings,
  hooks: PruneHooks = {},
  from?: PruneState,
): Promise<PrunedModel> {
  const session = await openSession(input, settings, hooks);
  const { kept } = checkReachable(session);
  const { metric, share } = settings.target;
  const isMeasured = metric === 'instructions' && hooks.measure !== undefined;
  const original = isMeasured ? await hooks.measure!(input.graph) : undefined;
  const before = await scoreOf(session, input.graph);
  const units = planUnits(
    settings.schedule,
    settings.fineTune ? settings.epochs : 0,
    stepsPerEpoch(session),
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
          ? (await cutMeasured(session, graph, share, original)).graph
          : await cut(session, graph, unit.share);
      trainer = undefined;
    }
    if (unit.steps === 0) continue;
    hooks.onStage?.('training');
    trainer ??= trainerFor(session, graph, unit.share === undefined ? from?.adam : undefined);
    await train(session, trainer, unit, i, units);
    graph = trainer.result();
    hooks.onCheckpoint?.({ unit: i + 1, graph, adam: trainer.adam.state });
  }
  const after = await scoreOf(session, graph);
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
