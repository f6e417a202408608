import type { ConvertedModel } from '../../converter/convert-model.ts';
import { type Accuracy, isFarBelow, type Metric } from '../../converter/metrics/metric.ts';
import { judgeInputs } from '../../converter/quant/judge-inputs.ts';
import type { Context } from '../context.ts';
import { readDataPath } from '../files/data-path.ts';
import type { OpenModel } from '../model/open-model.ts';
import { runFloat, runHostC, runReference } from './engines.ts';
import { hasHostCompiler } from './host-model.ts';
import { type LabelChoice, type LabelledSet, labelledSetOf, scoreRun } from './labelled-set.ts';

/** Scores the float and the converted graph on labelled samples. */
export async function measureAccuracyOn(
  context: Context,
  model: OpenModel,
  converted: ConvertedModel,
  set: LabelledSet,
): Promise<Accuracy> {
  for (const warning of judgeInputs(converted.graph, set.inputs)) context.output.warn(warning);
  // Compiled C gives the same bytes as the reference evaluation, and sooner.
  const run = hasHostCompiler() ? runHostC : runReference;
  const { metric, n, value } = scoreRun(set, await run(context, model, converted, set.inputs));
  if (!converted.float) return { metric, n, float: null, int8: value };
  const float = scoreRun(set, await runFloat(context, model, converted.float, set.inputs));
  warnFarBelow(context, set.metric, { float: float.value, value, n });
  return { metric, n, float: float.value, int8: value };
}

/** The same for a data file; undefined when it has no labels. */
export async function measureAccuracy(
  context: Context,
  model: OpenModel,
  converted: ConvertedModel,
  path: string,
  choice: LabelChoice = {},
): Promise<Accuracy | undefined> {
  const dataset = readDataPath(context, path, { lastIsLabel: choice.lastIsLabel === true });
  if (!dataset.arrays.has('x') || !dataset.arrays.has('y')) return undefined;
  return measureAccuracyOn(context, model, converted, await labelledSetOf(context, model, dataset, choice));
}

/** Says loudly that a conversion lost what a user would not give away, and what to do next. */
export function warnFarBelow(
  context: Context,
  metric: Metric,
  { float, value, n }: { readonly float: number; readonly value: number; readonly n: number },
): void {
  if (!isFarBelow(metric, float, value, n)) return;
  const show = (x: number) => (metric.percent ? `${(100 * x).toFixed(2)} %` : x.toFixed(4));
  context.output.warn(
    `the converted model is far worse than the float one: ${metric.name} ${show(value)} against ${show(float)}; ` +
      'tinyml analyze MODEL --calib DATA --data LABELLED finds the layers that cost most, and remedies',
  );
}
