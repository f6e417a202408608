import { floatBatch } from '../../converter/evaluate/encode.ts';
import { labelsAt } from '../../converter/metrics/labels.ts';
import { pointsLost, scoreBy } from '../../converter/metrics/metric.ts';
import { optimize } from '../../converter/pipeline.ts';
import type { Judge } from '../../converter/quant/doctor/diagnose.ts';
import type { Context } from '../context.ts';
import { runFloat } from '../engine/engines.ts';
import { type LabelChoice, readLabelledSet, scoreRun } from '../engine/labelled-set.ts';
import type { OpenModel } from '../model/open-model.ts';
import type { Labelled } from './climb-ladder.ts';

/** Labelled samples and how the float model does on them. Throws E_LABELS_NEEDED where there are no labels. */
export async function readLabelled(
  context: Context,
  model: OpenModel,
  path: string,
  choice: LabelChoice,
): Promise<Labelled> {
  const set = await readLabelledSet(context, model, path, choice);
  const run = await runFloat(context, model, optimize(model.graph), set.inputs);
  return { ...set, float: scoreRun(set, run) };
}

/** Points lost on the first samples, so that layers can be judged on fewer than all. */
export function judgeOf({ inputs, labels, metric }: Labelled, reference: Float32Array): Judge {
  const batch = floatBatch(inputs);
  const total = inputs[0]!.count;
  const partOf = (outputs: Float32Array, count: number) => {
    const first = Int32Array.from({ length: count }, (_, i) => i);
    const samples = batch[0]!.subarray(0, (batch[0]!.length / total) * count);
    return scoreBy(metric, samples, outputs, labelsAt(labels, first)).value;
  };
  return {
    inputs: batch,
    count: total,
    lost: (outputs, count) => {
      const float = partOf(reference.subarray(0, (reference.length / total) * count), count);
      return pointsLost(metric, float, partOf(outputs, count));
    },
  };
}
