import { floatBatch } from '../../converter/evaluate/encode.ts';
import { evaluateFloat } from '../../converter/evaluate/float.ts';
import { optimize } from '../../converter/pipeline.ts';
import { diagnose, type LayerDiagnosis } from '../../converter/quant/doctor/diagnose.ts';
import { judgeCalibration } from '../../converter/quant/judge-calibration.ts';
import { judgeInputs } from '../../converter/quant/judge-inputs.ts';
import { observe, quantizeModel } from '../../converter/quant/quantize-model.ts';
import type { Recipe } from '../../converter/quant/recipe.ts';
import type { Context } from '../context.ts';
import { readCalibration } from '../model/convert.ts';
import type { OpenModel } from '../model/open-model.ts';
import type { Labelled } from './climb-ladder.ts';
import { judgeOf } from './labelled.ts';

export interface Diagnosis {
  /** Ranked, the layer that costs most first. */
  readonly layers: readonly LayerDiagnosis[];
  /** What is wrong with the calibration data. */
  readonly warnings: readonly string[];
}

/** What a recipe does to each layer of a float model. */
export async function diagnoseModel(
  context: Context,
  model: OpenModel,
  calib: string,
  recipe: Recipe,
  labelled: Labelled | undefined,
): Promise<Diagnosis> {
  const graph = optimize(model.graph);
  const data = readCalibration(context, calib, model.graph);
  return context.output.step('find what each layer costs', async (progress) => {
    const observed = await observe(graph, data);
    const quantized = await quantizeModel(observed, data, recipe, { perChannelFullyConnected: true });
    const judge = labelled && judgeOf(labelled, await referenceOf(labelled));
    const layers = await diagnose(quantized, data, {
      ...(judge ? { judge } : {}),
      onLayer: (done, total) => progress(`${done + 1} of ${total}`),
    });
    const warnings = [
      ...judgeCalibration(graph, data, observed.histograms),
      ...(labelled ? judgeInputs(quantized.graph, labelled.inputs) : []),
    ];
    return { layers, warnings };
  });

  async function referenceOf({ inputs }: Labelled): Promise<Float32Array> {
    return (await evaluateFloat(graph, floatBatch(inputs), inputs[0]?.count ?? 0))[0]!;
  }
}
