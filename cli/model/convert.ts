import {
  type CalibrationData,
  type ConvertedModel,
  convertModel,
  type Engine,
  isQuantized,
  type Scheme,
} from '../../converter/convert-model.ts';
import type { DataArray } from '../../converter/data/array.ts';
import { type InputSamples, samplesFor } from '../../converter/data/samples.ts';
import { floatBatch } from '../../converter/evaluate/encode.ts';
import type { Graph } from '../../converter/ir/types.ts';
import type { DumpAfter } from '../../converter/pipeline.ts';
import type { Ranges } from '../../converter/quant/calibrate.ts';
import type { Recipe } from '../../converter/quant/recipe.ts';
import type { Context } from '../context.ts';
import { readDataPath } from '../files/data-path.ts';
import { readKernels } from '../files/templates.ts';
import { packageVersion } from '../package-info.ts';
import type { OpenModel } from './open-model.ts';
import { recipeWords } from './recipe.ts';

/** More samples than this change the ranges by nothing that matters and cost time. */
const calibrationLimit = 512;

export interface ConversionChoice {
  readonly calib?: string | undefined;
  readonly engine?: Engine;
  readonly quantize?: Scheme;
  readonly optimize?: 'speed' | 'size';
  readonly dump?: DumpAfter;
  /** Words of the command line that say how the model was trained first. */
  readonly trained?: readonly string[];
  /** What quantization-aware training learned about a model that it optimized already. */
  readonly learnedRanges?: Ranges;
  /** How a float model is quantized, where that differs from the default. */
  readonly recipe?: Partial<Recipe>;
}

/** Every n-th of the samples, so that not more than `calibrationLimit` are left. */
function thinOut(input: InputSamples): InputSamples {
  const step = Math.ceil(input.count / calibrationLimit);
  if (step <= 1) return input;
  const { array, size } = input;
  const count = Math.ceil(input.count / step);
  const data = new Float64Array(count * size);
  for (let i = 0; i < count; i++)
    data.set(array.data.subarray(i * step * size, (i * step + 1) * size), i * size);
  const thinned: DataArray = { ...array, shape: [count, size], data };
  return { ...input, array: thinned, count };
}

/** Samples to calibrate a model of the user's with. */
export function readCalibration(context: Context, path: string, source: Graph): CalibrationData {
  const inputs = samplesFor(source, readDataPath(context, path), 'calib').map(thinOut);
  return { inputs: floatBatch(inputs), count: inputs[0]?.count ?? 0 };
}

/** For the banner of generated files: what decides their content, without the paths of this machine. */
function canonicalCommand(
  model: string,
  { engine = 'aot', quantize = 'int8', optimize = 'speed', recipe = {}, trained = [] }: ConversionChoice,
): string {
  const words = [
    '--engine',
    engine,
    '--quantize',
    quantize,
    '--optimize',
    optimize,
    ...recipeWords(recipe),
    ...trained,
  ];
  return `tinyml convert ${model} ${words.join(' ')}`;
}

/** Converts an open model. Calibration data are read only where they are needed. */
export async function convertOpenModel(
  context: Context,
  model: OpenModel,
  choice: ConversionChoice,
): Promise<ConvertedModel> {
  const { calib, dump, engine = 'aot', quantize = 'int8', optimize = 'speed' } = choice;
  const wantsCalibration = quantize !== 'float' && !isQuantized(model.graph);
  if (calib !== undefined && !wantsCalibration && quantize !== 'float') {
    context.output.note(`${model.name} is quantized already; ${calib} is not needed to convert it`);
  }
  const calibration =
    wantsCalibration && calib !== undefined ? readCalibration(context, calib, model.graph) : undefined;
  return context.output.step(`convert ${model.name}`, async (progress) => {
    const converted = await convertModel(model.graph, {
      engine,
      quantize,
      optimize,
      ...(calibration ? { calibration } : {}),
      ...(choice.learnedRanges ? { learnedRanges: choice.learnedRanges } : {}),
      ...(choice.recipe ? { recipe: choice.recipe } : {}),
      kernels: readKernels(),
      toolVersion: packageVersion(),
      command: canonicalCommand(model.name, choice),
      ...(dump ? { dump } : {}),
      onStage: (stage) => {
        progress(stage);
        context.output.detail(`${model.name}: ${stage}`);
      },
    });
    for (const warning of converted.warnings) context.output.warn(warning);
    return converted;
  });
}
