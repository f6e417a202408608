import type { Scheme } from '../../converter/convert-model.ts';
import { type WritableType, writeNpy } from '../../converter/data/npy.ts';
import { writeNpz } from '../../converter/data/npz.ts';
import { samplesFor } from '../../converter/data/samples.ts';
import { bytesOf } from '../../converter/ir/tensor.ts';
import { defineCommand } from '../command.ts';
import { type EngineName, type EngineOutput, runEngine } from '../engine/engines.ts';
import { readDataPath } from '../files/data-path.ts';
import { writeFileAtomically } from '../files/output-file.ts';
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
  readonly raw?: boolean;
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

/** An output for --json; codes come with their scale. */
function documentOf({ name, shape, dtype, data, quant }: EngineOutput) {
  const values = Array.from(data as ArrayLike<number>, Number);
  const meaning = quant ? { scale: quant.scale[0]!, zeroPoint: quant.zeroPoint[0]! } : {};
  return { name, shape, dtype, data: values, ...meaning };
}

function render(output: EngineOutput): string {
  const values = Array.from(output.data.slice(0, shownElements) as ArrayLike<number>, (value) =>
    output.dtype === 'float32' ? Number(value).toPrecision(6) : String(value),
  );
  const rest = output.data.length > shownElements ? `, ... ${output.data.length} in all` : '';
  const meaning = output.quant
    ? `, real = ${Number(output.quant.scale[0]!.toPrecision(6))} * (code - ${output.quant.zeroPoint[0]})`
    : '';
  return `${output.name} ${output.dtype} ${formatShape(output.shape)}${meaning}\n  ${values.join(', ')}${rest}`;
}

export const command = defineCommand<RunOptions>({
  usage: '<model>',
  paths: ['input'],
  description: 'Runs a model on the samples of a file and shows or writes its outputs.',
  examples: [
    'tinyml run model.onnx --input x.npy',
    'tinyml run model.onnx --input x.npy --calib data.npz --engine c -o y.npy',
  ],
  options: [
    {
      flags: '-i, --input <data>',
      help: "one or more samples in the model's own axis order: .npy, .npz, .csv",
      path: 'input',
      required: true,
    },
    { flags: '-o, --output <file>', help: 'write the outputs as .npy, several as .npz', path: 'output' },
    { flags: '--raw', help: 'the codes that the converted model stores, in place of real numbers' },
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
    const inputs = samplesFor(model.graph, readDataPath(context, options.input), 'x');
    const made = await runEngine(
      context,
      model,
      inputs,
      { ...options, recipe: recipeOf(options) },
      boardRunner(context, options),
    );
    const outputs = options.raw === true ? made.stored : made.outputs;
    if (options.output !== undefined) {
      writeFileAtomically(options.output, fileOf(outputs, options.output), context.lifetime);
    }
    const shown = outputs.map(documentOf);
    context.output.result({ outputs: shown }, () => outputs.map(render).join('\n'));
    return 0;
  },
});
