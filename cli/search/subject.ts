import { createHash } from 'node:crypto';
import { isQuantized } from '../../converter/convert-model.ts';
import type { Dataset } from '../../converter/data/dataset.ts';
import { bytesOf } from '../../converter/ir/tensor.ts';
import { type Goal, isQuality, type Limit, qualityOf } from '../../converter/search/measures.ts';
import type { Context } from '../context.ts';
import { labelledSetOf } from '../engine/labelled-set.ts';
import type { OpenModel } from '../model/open-model.ts';
import { metricMismatch, tooFewToSplit } from './errors.ts';
import { spaceFor } from './knobs.ts';
import { LabelledSamples } from './labelled-samples.ts';

/** Hash of a model with its weights, wherever they were stored. */
export function hashOfModel({ sha256, graph }: OpenModel): string {
  const hash = createHash('sha256').update(sha256);
  for (const value of graph.values.values()) if (value.data) hash.update(bytesOf(value.data));
  return hash.digest('hex');
}

export function hashOfData({ arrays }: Dataset): string {
  const hash = createHash('sha256');
  for (const [name, { shape, data }] of arrays) {
    hash.update(JSON.stringify([name, shape]));
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex');
}

/** The labelled samples of a data set, as a model takes them. Throws what reading samples throws. */
export async function labelledSamples(
  context: Context,
  model: OpenModel,
  dataset: Dataset,
  { metric, seed }: SearchChoice,
): Promise<LabelledSamples> {
  return LabelledSamples.shuffled(await labelledSetOf(context, model, dataset, { metric }), seed);
}

/** What decides how samples are scored and in which order they are taken. */
export interface SearchChoice {
  /** Name of a metric; otherwise labels and model choose. */
  readonly metric: string | undefined;
  readonly seed: number;
}

/** Fewer samples than this are not worth splitting. */
const leastToSplit = 200;

/** What a search scores on and what it trains on. */
export interface SearchData {
  readonly scored: LabelledSamples;
  readonly trained: LabelledSamples | undefined;
}

/**
 * Without training data of their own, half of the labelled samples are trained on and the other half scored on, so
 * that no model is judged by what it learned from. Throws E_DATA_COUNT where there are too few.
 */
export async function searchData(
  context: Context,
  model: OpenModel,
  { data, train, prunes }: { data: Dataset; train: Dataset | undefined; prunes: boolean },
  choice: SearchChoice,
): Promise<SearchData> {
  const scored = await labelledSamples(context, model, data, choice);
  if (!prunes) return { scored, trained: undefined };
  if (train) return { scored, trained: await labelledSamples(context, model, train, choice) };
  if (scored.count < leastToSplit) throw tooFewToSplit(data.file, scored.count, leastToSplit);
  const [first, second] = scored.halves();
  return { scored: first, trained: second };
}

/** Throws E_BUDGET for a limit on another quality than the one that the data allow to measure. */
export function goalOf({ metric }: LabelledSamples, limits: readonly Limit[]): Goal {
  const quality = qualityOf(metric);
  const wrong = limits.find(({ measure }) => isQuality(measure) && measure !== quality);
  if (wrong) throw metricMismatch(wrong.measure, quality);
  return { quality, limits };
}

export function spaceOf({ graph }: OpenModel) {
  return spaceFor({ quantized: isQuantized(graph) });
}
