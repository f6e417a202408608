import { isQuantized, type Scheme } from '../../converter/convert-model.ts';
import { optimize } from '../../converter/pipeline.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { warnFarBelow } from '../engine/accuracy.ts';
import { type EngineName, type EngineRun, runEngine, runFloat } from '../engine/engines.ts';
import { type LabelledSet, readLabelledSet, scoreRun } from '../engine/labelled-set.ts';
import { boardRunner } from '../measure/board-runner.ts';
import { type InputShapes, type OpenModel, openModel } from '../model/open-model.ts';
import { type RecipeOptions, recipeOf, recipeOptions } from '../model/recipe.ts';
import {
  boardOption,
  calibOption,
  inputShapeOption,
  lastIsLabelOption,
  metricOption,
  portOption,
  quantizeOption,
  runEngineOption,
} from '../options.ts';
import { formatCount } from '../report/format.ts';
import { formatScore } from '../report/score.ts';

interface EvalOptions extends RecipeOptions {
  readonly data: string;
  readonly calib?: string;
  readonly quantize: Scheme;
  readonly metric?: string;
  readonly labels?: boolean;
  readonly engine?: EngineName;
  readonly board: string;
  readonly port?: string;
  readonly inputShape?: InputShapes;
}

/** What the float model scores, to stand beside a conversion of it; null where that is what ran, or there is none. */
async function floatScore(
  context: Context,
  model: OpenModel,
  set: LabelledSet,
  run: EngineRun,
): Promise<number | null> {
  if (run.engine === 'float' || isQuantized(model.graph)) return null;
  return scoreRun(set, await runFloat(context, model, optimize(model.graph), set.inputs)).value;
}

export const command = defineCommand<EvalOptions>({
  usage: '<model>',
  paths: ['input'],
  description:
    'Measures a model on labelled data: top-1 accuracy for classifiers, area under the ROC curve for one output that ' +
    'tells two classes and for the reconstruction error of an autoencoder (class 0 is normal), mean squared error for ' +
    'wanted outputs; or --metric.',
  examples: [
    'tinyml eval model.onnx --data data.npz',
    'tinyml eval model.onnx --data data.npz --calib data.npz --engine int8',
    'tinyml eval model.onnx --data data.npz --metric f1',
  ],
  options: [
    {
      flags: '--data <data>',
      help: 'samples x and labels y: .npz, .csv, or a folder with one subfolder a class',
      path: 'input',
      required: true,
    },
    metricOption,
    lastIsLabelOption,
    calibOption,
    runEngineOption,
    quantizeOption,
    ...recipeOptions,
    boardOption,
    portOption,
    inputShapeOption,
  ],
  async run(context, [path = ''], options) {
    const model = openModel(context, path, options.inputShape);
    const { metric: wanted, labels: lastIsLabel = false } = options;
    const set = await readLabelledSet(context, model, options.data, { metric: wanted, lastIsLabel });
    const choice = { ...options, recipe: recipeOf(options) };
    const run = await runEngine(context, model, set.inputs, choice, boardRunner(context, options));
    const { metric, value, n } = scoreRun(set, run);
    const float = await floatScore(context, model, set, run);
    if (float !== null) warnFarBelow(context, set.metric, { float, value, n });
    context.output.result({ metric, value, n, engine: run.engine, float }, () => {
      const beside = float === null ? '' : `; in float ${formatScore({ metric, value: float })}`;
      return `${metric} ${formatScore({ metric, value })} on ${formatCount(n)} samples (${run.engine}${beside})`;
    });
    return 0;
  },
});
