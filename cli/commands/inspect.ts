import { listBoards } from '../../boards/load.ts';
import type { Scheme } from '../../converter/convert-model.ts';
import { chooseBoard } from '../board/board-choice.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { shortageOn } from '../firmware/board-fit.ts';
import { generateForBoard } from '../firmware/firmware.ts';
import { convertOpenModel } from '../model/convert.ts';
import { type GraphSummary, summarize } from '../model/graph-summary.ts';
import { type InputShapes, type OpenModel, openModel } from '../model/open-model.ts';
import { type RecipeOptions, recipeOf, recipeOptions } from '../model/recipe.ts';
import {
  boardOption,
  calibOption,
  inputShapeOption,
  optimizeOption,
  quantizeOption,
  weightsOption,
} from '../options.ts';
import { formatBytes, formatCount, formatLayer, formatShape } from '../report/format.ts';
import { type KernelReport, renderKernels } from '../report/kernel-table.ts';
import { renderPairs, renderTable } from '../report/table.ts';

interface InspectOptions extends RecipeOptions {
  readonly kernels?: boolean;
  readonly board: string;
  readonly calib?: string;
  readonly quantize: Scheme;
  readonly optimize: 'speed' | 'size';
  readonly weights: 'plain' | 'coded';
  readonly inputShape?: InputShapes;
}

interface Fit {
  readonly board: string;
  readonly fits: boolean;
  readonly over: { readonly flash: number; readonly ram: number };
}

function fitsOf(summary: GraphSummary): Fit[] {
  return listBoards().map((board) => {
    const over = shortageOn(board, summary);
    return { board: board.id, fits: over.flash === 0 && over.ram === 0, over };
  });
}

function overText({ fits, over }: Fit): string {
  if (fits) return 'yes';
  const parts = [
    over.flash > 0 ? `flash ${formatBytes(over.flash)} over` : '',
    over.ram > 0 ? `RAM ${formatBytes(over.ram)} over` : '',
  ];
  return `no: ${parts.filter((part) => part !== '').join(', ')}`;
}

function render(model: OpenModel, summary: GraphSummary, fits: readonly Fit[]): string {
  const layers = renderTable(
    [
      { title: 'layer' },
      { title: 'op' },
      { title: 'output' },
      { title: 'MACs', align: 'right' },
      { title: 'parameters', align: 'right' },
    ],
    summary.layers.map((layer) => [
      formatLayer(layer.name),
      layer.op,
      formatShape(layer.outShape),
      formatCount(layer.macs),
      formatCount(layer.parameters),
    ]),
  );
  const ports = (list: GraphSummary['inputs']) =>
    list.map(({ name, dtype, shape }) => `${name} ${dtype} ${formatShape(shape)}`).join(', ');
  const pairs = renderPairs([
    ['model', `${model.path} (${model.format}, ${formatBytes(model.fileBytes)})`],
    ['inputs', ports(summary.inputs)],
    ['outputs', ports(summary.outputs)],
    ['operators', summary.operators.map(({ op, count }) => `${count} ${op}`).join(', ')],
    ['MACs', formatCount(summary.macs)],
    ['parameters', formatCount(summary.parameters)],
    ['as int8', `${formatBytes(summary.weightsBytes)} weights, ${formatBytes(summary.arenaBytes)} arena`],
    ...fits.map((fit, i) => [i === 0 ? 'fits' : '', `${fit.board}: ${overText(fit)}`] as const),
  ]);
  return `${layers}\n\n${pairs}`;
}

/** The kernels that a board's firmware of this model gets. */
async function kernelsOf(context: Context, model: OpenModel, options: InspectOptions): Promise<KernelReport> {
  const board = chooseBoard(options.board);
  const converted = await convertOpenModel(context, model, { ...options, recipe: recipeOf(options) });
  const { layers, arenaBytes, peak } = generateForBoard(board, {
    ...converted,
    optimize: options.optimize,
    weights: options.weights,
  });
  return {
    board: board.id,
    cpu: board.chip.cpu,
    arenaBytes,
    peak: peak ?? null,
    layers: layers.map(({ name, op, macs, weightsBytes, kernels }) => ({
      name,
      op,
      macs,
      weightsBytes,
      kernels,
    })),
  };
}

export const command = defineCommand<InspectOptions>({
  usage: '<model>',
  paths: ['input'],
  description:
    'Shows what is in a model and which boards it fits, as int8, or which kernels its layers get. Nothing is written.',
  examples: [
    'tinyml inspect model.onnx',
    'tinyml inspect model.onnx --input-shape input=1,3,128',
    'tinyml inspect model.onnx --kernels --calib data.npz',
  ],
  options: [
    inputShapeOption,
    {
      flags: '--kernels',
      help: 'show instead which kernel each layer gets on a board, and why not a faster one',
    },
    boardOption,
    calibOption,
    quantizeOption,
    ...recipeOptions,
    optimizeOption,
    weightsOption,
  ],
  async run(context, [path = ''], options) {
    const model = openModel(context, path, options.inputShape);
    if (options.kernels === true) {
      const report = await kernelsOf(context, model, options);
      context.output.result(report, () => renderKernels(report));
      return 0;
    }
    const summary = summarize(model.graph);
    const boards = fitsOf(summary);
    const { sha256, format } = model;
    context.output.result({ model: { path, sha256, format }, ...summary, boards }, () =>
      render(model, summary, boards),
    );
    return 0;
  },
});
