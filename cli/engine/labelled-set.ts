import { isQuantized } from '../../converter/convert-model.ts';
import type { CsvOptions } from '../../converter/data/csv.ts';
import type { Dataset } from '../../converter/data/dataset.ts';
import { type InputSamples, labelsFor, sampleAt, samplesFor } from '../../converter/data/samples.ts';
import { floatBatch } from '../../converter/evaluate/encode.ts';
import { followsInputs, type JudgedTask, judgeLabels } from '../../converter/metrics/judge-labels.ts';
import type { TaskLabels } from '../../converter/metrics/labels.ts';
import { type Metric, metricFor, metricNamed, type Score, scoreBy } from '../../converter/metrics/metric.ts';
import { optimize } from '../../converter/pipeline.ts';
import { bringsScales } from '../../converter/quant/take-scales.ts';
import type { Context } from '../context.ts';
import { readDataPath } from '../files/data-path.ts';
import type { OpenModel } from '../model/open-model.ts';
import { type EngineRun, floatResults, integerResults } from './engines.ts';
import { labelsNeeded } from './errors.ts';

/** Labelled samples, and how results on them are scored. */
export interface LabelledSet {
  readonly inputs: readonly InputSamples[];
  readonly labels: TaskLabels;
  readonly metric: Metric;
}

/** What a user may say of labels and their score. */
export interface LabelChoice extends Partial<CsvOptions> {
  /** Name of a metric; otherwise labels and model choose. */
  readonly metric?: string | undefined;
}

/** Samples that tell whether a model reproduces its input. */
const evidenceSamples = 64;

/** Up to `most` samples, spread evenly. */
function someOf(inputs: readonly InputSamples[], most: number): InputSamples[] {
  return inputs.map((input) => {
    const { array, size, count } = input;
    const taken = Math.min(most, count);
    const data = new Float64Array(taken * size);
    for (let i = 0; i < taken; i++) data.set(sampleAt(input, Math.floor((i * count) / taken)), i * size);
    return { ...input, count: taken, array: { ...array, shape: [taken, size], data } };
  });
}

async function reproduces(
  context: Context,
  model: OpenModel,
  inputs: readonly InputSamples[],
): Promise<boolean> {
  const some = someOf(inputs, evidenceSamples);
  const graph = optimize(model.graph);
  const isReal = !isQuantized(model.graph) || bringsScales(model.graph);
  const [outputs] = isReal
    ? await floatResults(context, graph, some)
    : await integerResults(context, graph, some);
  return followsInputs(floatBatch(some)[0]!, outputs!);
}

/** What the samples of a data set are for, with their labels where it has any; decisions are shown as notes. */
export async function judgeSamples(
  context: Context,
  model: OpenModel,
  dataset: Dataset,
  inputs: readonly InputSamples[],
  wanted: string | undefined,
): Promise<JudgedTask & { readonly metric: Metric }> {
  const labels = dataset.arrays.has('y') ? labelsFor(dataset, inputs[0]?.count ?? 0) : undefined;
  const judged = await judgeLabels(dataset.file, labels, {
    inputShape: model.graph.inputs[0]!.shape,
    outputShape: model.graph.outputs[0]!.shape,
    reproduces: () => reproduces(context, model, inputs),
    allowed: wanted === undefined ? undefined : metricNamed(wanted).tasks,
  });
  for (const note of judged.notes) context.output.note(`${dataset.file}: ${note}`);
  return { ...judged, metric: metricFor(judged.task, wanted) };
}

/** The labelled samples of a data set. Throws E_LABELS_NEEDED, E_DATA_*, E_METRIC. */
export async function labelledSetOf(
  context: Context,
  model: OpenModel,
  dataset: Dataset,
  { metric: wanted }: LabelChoice = {},
): Promise<LabelledSet> {
  if (!dataset.arrays.has('y')) throw labelsNeeded(dataset.file);
  const inputs = samplesFor(model.graph, dataset, 'x');
  const { labels, metric } = await judgeSamples(context, model, dataset, inputs, wanted);
  return { inputs, labels: labels!, metric };
}

/** The same from a path; warnings about the data are shown. */
export function readLabelledSet(
  context: Context,
  model: OpenModel,
  path: string,
  choice: LabelChoice = {},
): Promise<LabelledSet> {
  const dataset = readDataPath(context, path, { lastIsLabel: choice.lastIsLabel === true });
  return labelledSetOf(context, model, dataset, choice);
}

/** How good results are; only the first output is scored. */
export function scoreRun({ inputs, labels, metric }: LabelledSet, run: EngineRun): Score {
  return scoreBy(metric, floatBatch(inputs)[0]!, run.real[0]!, labels);
}
