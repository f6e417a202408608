import { createHash } from 'node:crypto';
import { isQuantized } from '../../converter/convert-model.ts';
import { samplesFor } from '../../converter/data/samples.ts';
import { floatBatch } from '../../converter/evaluate/encode.ts';
import { optimize } from '../../converter/pipeline.ts';
import { alreadyQuantized } from '../../converter/prune/errors.ts';
import { type PrunedModel, type PruneSettings, pruneModel } from '../../converter/prune/prune-model.ts';
import type { Sparsity } from '../../converter/prune/sparse-masks.ts';
import { type SparsifiedModel, sparsifyModel } from '../../converter/prune/sparsify-model.ts';
import type { TrainingInput } from '../../converter/train/training-session.ts';
import type { Context } from '../context.ts';
import { judgeSamples } from '../engine/labelled-set.ts';
import { readDataPath } from '../files/data-path.ts';
import { measureInstructions } from '../measure/measure-instructions.ts';
import type { OpenModel } from '../model/open-model.ts';
import type { Progress } from '../output.ts';
import { packageVersion } from '../package-info.ts';
import { formatDuration } from '../report/format.ts';
import { earlierState, saveState } from './checkpoint-file.ts';

export interface PruneChoice extends PruneSettings {
  readonly data: string;
  /** Name of the metric for the samples held out. */
  readonly metric?: string | undefined;
  readonly board: string;
  /** Where the result goes; the checkpoint stands beside it. */
  readonly output: string;
}

/** Samples and, where the data have them, labels. */
export async function readTrainingData(
  context: Context,
  model: OpenModel,
  path: string,
  metric?: string,
): Promise<Omit<TrainingInput, 'graph'>> {
  const dataset = readDataPath(context, path);
  const samples = samplesFor(model.graph, dataset, 'x');
  const judged = await judgeSamples(context, model, dataset, samples, metric);
  const { task, labels } = judged;
  return {
    inputs: floatBatch(samples),
    count: samples[0]?.count ?? 0,
    labels: { file: path, task, metric: judged.metric, ...(labels ? { data: labels.data } : {}) },
  };
}

/** Names a run by all that decides its result. */
function runKey(
  model: OpenModel,
  input: TrainingInput,
  { output: _, data: __, board, ...settings }: PruneChoice,
) {
  const hash = createHash('sha256').update(`${packageVersion()} ${model.sha256} ${board}`);
  hash.update(JSON.stringify(settings));
  for (const array of input.inputs) hash.update(array);
  if (input.labels.data) hash.update(Float32Array.from(input.labels.data));
  return hash.digest('hex');
}

function tellWithoutLabels(context: Context, { labels }: TrainingInput, choice: PruneChoice): void {
  if (labels.data || !choice.distill || !choice.fineTune) return;
  context.output.note(`${labels.file} has no labels y: learning from the unpruned model alone`);
}

/** Tells loss and the time that is left, from the speed so far. */
export function progressTeller(context: Context, progress: Progress) {
  let first: { done: number; at: number } | undefined;
  let told = Date.now();
  return ({
    done,
    total,
    loss,
    round,
    rounds,
  }: Record<'done' | 'total' | 'loss' | 'round' | 'rounds', number>) => {
    const now = Date.now();
    first ??= { done: done - 1, at: now };
    const left = ((now - first.at) / Math.max(1, done - first.done)) * (total - done);
    const where = rounds > 1 ? `round ${round} of ${rounds}, ` : '';
    const text = `${where}step ${done} of ${total}, loss ${loss.toFixed(4)}, ${formatDuration(left)} left`;
    progress(text);
    if (now - told < 10_000) return;
    told = now;
    context.output.detail(text);
  };
}

/** Prunes an open model; a run that was killed goes on from its checkpoint, which is removed at the end. */
export async function pruneOpenModel(
  context: Context,
  model: OpenModel,
  choice: PruneChoice,
): Promise<PrunedModel> {
  const graph = optimize(model.graph);
  if (isQuantized(graph)) throw alreadyQuantized(model.name);
  const input = { graph, ...(await readTrainingData(context, model, choice.data, choice.metric)) };
  tellWithoutLabels(context, input, choice);
  const key = runKey(model, input, choice);
  const state = earlierState(context, choice.output, key);
  const pruned = await context.output.step(`prune ${model.name}`, (progress) => {
    const tell = progressTeller(context, progress);
    return pruneModel(
      input,
      choice,
      {
        onProgress: tell,
        onStage: (stage) => {
          progress(stage);
          context.output.detail(`${model.name}: ${stage}`);
        },
        onCheckpoint: (at) => saveState(context, choice.output, key, at),
        breathe: () => context.lifetime.breathe(),
        measure: (made) => measureInstructions(context, { ...model, graph: made }, choice.data, choice.board),
      },
      state,
    );
  });
  return pruned;
}

/** Sets weights of an open model to zero and trains the others; refuses forms that make it no faster. */
export async function sparsifyOpenModel(
  context: Context,
  model: OpenModel,
  sparsity: Sparsity,
  choice: Omit<PruneChoice, 'target' | 'criterion' | 'schedule' | 'step' | 'output'>,
): Promise<SparsifiedModel> {
  const graph = optimize(model.graph);
  if (isQuantized(graph)) throw alreadyQuantized(model.name);
  const input = { graph, ...(await readTrainingData(context, model, choice.data, choice.metric)) };
  return context.output.step(`sparsify ${model.name}`, (progress) =>
    sparsifyModel(input, choice, sparsity, {
      onProgress: progressTeller(context, progress),
      breathe: () => context.lifetime.breathe(),
      measure: (made) => measureInstructions(context, { ...model, graph: made }, choice.data, choice.board),
    }),
  );
}
