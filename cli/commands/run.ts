import type { Scheme } from '../../converter/convert-model.ts';
import { type WritableType, writeNpy } from '../../converter/data/npy.ts';
import { writeNpz } from '../../converter/data/npz.ts';
import { samplesFor } from '../../converter/data/samples.ts';
import { bytesOf } from '../../converter/ir/tensor.ts';
import { defineCommand } from '../command.ts';
import { type EngineName, type EngineOutput, runEngine } from '../engine/engines.ts';
import { readDataPath } from '../files/data-path.ts';
import { refuseInputs, writeFileAtomically } from '../files/output-file.ts';
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
import { formatShape } from '../report/format.ts';

interface RunOptions extends RecipeOptions {
  readonly input: string;
  readonly output?: string;
  readonly calib?: string;
  readonly quantize: Scheme;
  readonly engine?: EngineName;
  readonly board: string;
  readonly port?: string;
  readonly inputShape?: InputShapes;
}

const shownElements = 32;

function npyOf(output: EngineOutput): Uint8Array {
  return writeNpy(output.dtype as WritableType, output.shape, bytesOf(output.data));
}

/** One output as .npy, several as .npz by their names. */
function fileOf(outputs: readonly EngineOutput[], path: string): Uint8Array {
  if (outputs.length === 1 && !path.endsWith('.npz')) return npyOf(outputs[0]!);
  return writeNpz(new Map(outputs.map((output) => [output.name, npyOf(output)])));
}

function render(output: EngineOutput): string {
  const values = Array.from(output.data.slice(0, shownElements) as ArrayLike<number>, (value) =>
    output.dtype === 'float32' ? Number(value).toPrecision(6) : String(value),
  );
  const rest = output.data.length > shownElements ? `, ... ${output.data.length} in all` : '';
  return `${output.name} ${output.dtype} ${formatShape(output.shape)}\n  ${values.join(', ')}${rest}`;
}

export const command = defineCommand<RunOptions>({
  usage: '<model>',
  description: 'Runs a model on the samples of a file and shows or writes its outputs.',
  examples: [
    'tinyml run model.onnx --input x.npy',
    'tinyml run model.onnx --input x.npy --calib data.npz --engine c -o y.npy',
  ],
  options: [
    {
      flags: '-i, --input <data>',
      help: "one or more samples in the model's own axis order: .npy, .npz, .csv",
      required: true,
    },
    { flags: '-o, --output <file>', help: 'write the outputs as .npy, several as .npz' },
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
    const inputs = samplesFor(model.graph.inputs, readDataPath(options.input), 'x');
    const { outputs } = await runEngine(
      context,
      model,
      inputs,
      { ...options, recipe: recipeOf(options) },
      boardRunner(context, options),
    );
    if (options.output !== undefined) {
      refuseInputs(options.output, [path, options.input]);
      writeFileAtomically(options.output, fileOf(outputs, options.output), context.lifetime);
    }
    const shown = outputs.map((output) => ({
      ...output,
      data: Array.from(output.data as ArrayLike<number>, Number),
    }));
    context.output.result({ outputs: shown }, () => outputs.map(render).join('\n'));
    return 0;
  },
});
