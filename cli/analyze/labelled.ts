import { labelsFor, samplesFor } from '../../converter/data/samples.ts';
import { floatBatch } from '../../converter/evaluate/encode.ts';
import { evaluateFloat } from '../../converter/evaluate/float.ts';
import { score } from '../../converter/evaluate/metrics.ts';
import { optimize } from '../../converter/pipeline.ts';
import type { Judge } from '../../converter/quant/doctor/diagnose.ts';
import { readDataPath } from '../files/data-path.ts';
import type { OpenModel } from '../model/open-model.ts';
import { type Labelled, pointsLost } from './climb-ladder.ts';
import { labelsNeeded } from './errors.ts';

/** Labelled samples and how the float model does on them. Throws E_LABELS_NEEDED where there are no labels. */
export async function readLabelled(model: OpenModel, path: string): Promise<Labelled> {
  const dataset = readDataPath(path);
  const inputs = samplesFor(model.graph.inputs, dataset, 'x');
  const count = inputs[0]?.count ?? 0;
  if (!dataset.arrays.has('y')) throw labelsNeeded(path);
  const labels = labelsFor(dataset, count);
  const [real] = await evaluateFloat(optimize(model.graph), floatBatch(inputs), count);
  return { inputs, labels, float: score(inputs[0]!.array.data, real!, labels) };
}

/** Points lost on the first samples, so that layers can be judged on fewer than all. */
export function judgeOf({ inputs, labels }: Labelled, reference: Float32Array): Judge {
  const batch = floatBatch(inputs);
  const total = inputs[0]!.count;
  const partOf = (outputs: Float32Array, count: number) => {
    const perLabel = labels.data.length / total;
    const wanted = { data: Array.from(labels.data).slice(0, count * perLabel), shape: [count] };
    return score(batch[0]!.subarray(0, (batch[0]!.length / total) * count), outputs, wanted);
  };
  return {
    inputs: batch,
    count: total,
    lost: (outputs, count) => {
      const float = partOf(reference.subarray(0, (reference.length / total) * count), count);
      return pointsLost(float, partOf(outputs, count).value);
    },
  };
}
