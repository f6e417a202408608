import { listBoards } from '../../boards/load.ts';
import { defineCommand } from '../command.ts';
import { inputShapeOption } from '../options.ts';
import { formatBytes, formatCount, formatShape } from '../report/format.ts';
import { renderPairs, renderTable } from '../report/table.ts';
import { shortageOn } from '../session/board-fit.ts';
import { type GraphSummary, summarize } from '../session/graph-summary.ts';
import { type InputShapes, type OpenModel, openModel } from '../session/open-model.ts';

interface InspectOptions {
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
      layer.name,
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

export const command = defineCommand<InspectOptions>({
  usage: '<model>',
  description: 'Shows what is in a model and which boards it fits, as int8. Nothing is written.',
  examples: ['tinyml inspect model.onnx', 'tinyml inspect model.onnx --input-shape input=1,49,10,1'],
  options: [inputShapeOption],
  async run(context, [path = ''], options) {
    const model = openModel(context, path, options.inputShape);
    const summary = summarize(model.graph);
    const boards = fitsOf(summary);
    const { sha256, format } = model;
    context.output.result({ model: { path, sha256, format }, ...summary, boards }, () =>
      render(model, summary, boards),
    );
    return 0;
  },
});
