import type { ConvertedModel } from '../../converter/convert-model.ts';
import { labelsFor, samplesFor } from '../../converter/data/samples.ts';
import { type Score, score } from '../../converter/evaluate/metrics.ts';
import type { Context } from '../context.ts';
import { readDataPath } from '../files/data-path.ts';
import type { OpenModel } from '../model/open-model.ts';
import { runFloat, runHostC, runReference } from './engines.ts';
import { hasHostCompiler } from './host-model.ts';

export interface Accuracy {
  readonly metric: Score['metric'];
  readonly n: number;
  /** Null where the model came quantized, so that there is no float to compare with. */
  readonly float: number | null;
  readonly int8: number;
}

/** Scores the float and the converted graph on the labelled samples of a data file; undefined when it has no labels. */
export async function measureAccuracy(
  context: Context,
  model: OpenModel,
  converted: ConvertedModel,
  path: string,
): Promise<Accuracy | undefined> {
  const dataset = readDataPath(path);
  if (!dataset.arrays.has('x') || !dataset.arrays.has('y')) return undefined;
  const inputs = samplesFor(model.graph.inputs, dataset, 'x');
  const labels = labelsFor(dataset, inputs[0]?.count ?? 0);
  const values = inputs[0]!.array.data;
  // Compiled C gives the same bytes as the reference evaluation, and sooner.
  const run = hasHostCompiler() ? runHostC : runReference;
  const int8 = await run(context, model, converted, inputs);
  const { metric, n, value } = score(values, int8.real[0]!, labels);
  if (!converted.float) return { metric, n, float: null, int8: value };
  const float = await runFloat(context, model, converted.float, inputs);
  return { metric, n, float: score(values, float.real[0]!, labels).value, int8: value };
}
