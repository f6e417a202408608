import type { Scheme } from '../../converter/convert-model.ts';
import { labelsFor, samplesFor } from '../../converter/data/samples.ts';
import { score } from '../../converter/evaluate/metrics.ts';
import { defineCommand } from '../command.ts';
import { type EngineName, runEngine } from '../engine/engines.ts';
import { readDataPath } from '../files/data-path.ts';
import { boardRunner } from '../measure/board-runner.ts';
import { type InputShapes, openModel } from '../model/open-model.ts';
import { type RecipeOptions, recipeOf, recipeOptions } from '../model/recipe.ts';
import {
  boardOption,
  calibOption,
  inputShapeOption,
  portOption,
  quantizeOption,
  runEngineOption,
} from '../options.ts';
import { formatCount, formatPercent } from '../report/format.ts';

interface EvalOptions extends RecipeOptions {
  readonly data: string;
  readonly calib?: string;
  readonly quantize: Scheme;
  readonly labels?: boolean;
  readonly engine?: EngineName;
  readonly board: string;
  readonly port?: string;
  readonly inputShape?: InputShapes;
}

export const command = defineCommand<EvalOptions>({
  usage: '<model>',
  description:
    'Measures a model on labelled data: top-1 accuracy for classifiers, area under the ROC curve for one output ' +
    'and for the reconstruction error of an autoencoder (class 0 is normal), mean squared error for wanted outputs.',
  examples: [
    'tinyml eval model.onnx --data data.npz',
    'tinyml eval model.onnx --data data.npz --calib data.npz --engine int8',
  ],
  options: [
    {
      flags: '--data <data>',
      help: 'samples x and labels y: .npz, .csv, or a folder with one subfolder a class',
      required: true,
    },
    { flags: '--labels', help: 'the last column of a .csv holds the labels' },
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
    const dataset = readDataPath(options.data, { lastIsLabel: options.labels === true });
    const inputs = samplesFor(model.graph.inputs, dataset, 'x');
    const labels = labelsFor(dataset, inputs[0]?.count ?? 0);
    const run = await runEngine(
      context,
      model,
      inputs,
      { ...options, recipe: recipeOf(options) },
      boardRunner(context, options),
    );
    const { metric, value, n } = score(inputs[0]!.array.data, run.real[0]!, labels);
    context.output.result({ metric, value, n, engine: run.engine }, () => {
      const shown = metric === 'top-1' ? formatPercent(value) : value.toFixed(4);
      return `${metric} ${shown} on ${formatCount(n)} samples (${run.engine})`;
    });
    return 0;
  },
});
