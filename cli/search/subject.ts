import { createHash } from 'node:crypto';
import { isQuantized } from '../../converter/convert-model.ts';
import type { Dataset } from '../../converter/data/dataset.ts';
import { labelsFor, samplesFor } from '../../converter/data/samples.ts';
import { score } from '../../converter/evaluate/metrics.ts';
import { bytesOf, elementCount } from '../../converter/ir/tensor.ts';
import type { Goal, Limit, QualityMetric } from '../../converter/search/measures.ts';
import { isQuality } from '../../converter/search/measures.ts';
import { labelsNeeded } from '../analyze/errors.ts';
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

/** The labelled samples of a data set, as a model takes them. Throws E_LABELS_NEEDED and what reading samples throws. */
export function labelledSamples(model: OpenModel, dataset: Dataset, seed: number): LabelledSamples {
  if (!dataset.arrays.has('y')) throw labelsNeeded(dataset.file);
  const inputs = samplesFor(model.graph.inputs, dataset, 'x');
  return LabelledSamples.shuffled(inputs, labelsFor(dataset, inputs[0]?.count ?? 0), seed);
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
export function searchData(
  model: OpenModel,
  { data, train, prunes }: { data: Dataset; train: Dataset | undefined; prunes: boolean },
  seed: number,
): SearchData {
  const scored = labelledSamples(model, data, seed);
  if (!prunes) return { scored, trained: undefined };
  if (train) return { scored, trained: labelledSamples(model, train, seed) };
  if (scored.count < leastToSplit) throw tooFewToSplit(data.file, scored.count, leastToSplit);
  const [first, second] = scored.halves();
  return { scored: first, trained: second };
}

/** By what a model is judged on labelled samples: outputs of the right size tell, whatever they hold. */
function metricOf(model: OpenModel, samples: LabelledSamples): QualityMetric {
  const { inputs, labels } = samples.first(1);
  const size = elementCount(model.graph.outputs[0]!.shape);
  const { metric } = score(inputs[0]!.array.data, new Float32Array(size), labels);
  if (metric === 'mse') return 'mse';
  return metric === 'top-1' ? 'accuracy' : 'auc';
}

/** Throws E_BUDGET for a limit on another quality than the one that the data allow to measure. */
export function goalOf(model: OpenModel, samples: LabelledSamples, limits: readonly Limit[]): Goal {
  const quality = metricOf(model, samples);
  const wrong = limits.find(({ measure }) => isQuality(measure) && measure !== quality);
  if (wrong) throw metricMismatch(wrong.measure, quality);
  return { quality, limits };
}

export function spaceOf({ graph }: OpenModel) {
  return spaceFor({ quantized: isQuantized(graph) });
}
