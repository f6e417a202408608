import { isQuantized } from '../../converter/convert-model.ts';
import { remediesFor } from '../../converter/quant/doctor/ladder.ts';
import { defaultRecipe } from '../../converter/quant/recipe.ts';
import { type Budget, climbLadder } from '../analyze/climb-ladder.ts';
import { diagnoseModel } from '../analyze/diagnose-model.ts';
import { analyzeNeedsFloat } from '../analyze/errors.ts';
import { readLabelled } from '../analyze/labelled.ts';
import { chooseBoard } from '../board/board-choice.ts';
import { defineCommand } from '../command.ts';
import { labelsNeeded } from '../engine/errors.ts';
import { writeFileAtomically } from '../files/output-file.ts';
import { reportOf, writeModelFolder } from '../model/model-folder.ts';
import { type InputShapes, openModel } from '../model/open-model.ts';
import { type RecipeOptions, recipeOf, recipeOptions } from '../model/recipe.ts';
import {
  calibOption,
  type ForceFlag,
  forceOption,
  inputShapeOption,
  metricOption,
  numberFrom,
  portOption,
} from '../options.ts';
import { type AnalyzeReport, renderAnalyze, tradeOff } from '../report/analyze-table.ts';
import { scatterSvg } from '../report/scatter-plot.ts';

interface AnalyzeOptions extends RecipeOptions, Budget, ForceFlag {
  readonly calib: string;
  readonly data?: string;
  readonly metric?: string;
  readonly output?: string;
  readonly plot?: string;
  readonly all?: boolean;
  readonly board?: string;
  readonly port?: string;
  readonly inputShape?: InputShapes;
}

/** Points that may be lost where labels are there and the user names no limit. */
const usualDrop = 0.5;
const usualBoard = 'virtual-stm32f405';

function budgetOf(options: AnalyzeOptions, hasLabels: boolean): Budget {
  const { maxDrop, maxLatencyUs, maxRam, maxFlash } = options;
  if (maxDrop !== undefined && !hasLabels) throw labelsNeeded(undefined);
  const drop = maxDrop ?? (hasLabels ? usualDrop : undefined);
  return {
    ...(drop === undefined ? {} : { maxDrop: drop }),
    ...(maxLatencyUs === undefined ? {} : { maxLatencyUs }),
    ...(maxRam === undefined ? {} : { maxRam }),
    ...(maxFlash === undefined ? {} : { maxFlash }),
  };
}

export const command = defineCommand<AnalyzeOptions>({
  usage: '<model>',
  paths: ['input'],
  description:
    'Finds what quantization costs a float model, layer by layer, and why; then tries remedies until a budget holds. ' +
    'Without labels, layers are ranked by noise.',
  examples: [
    'tinyml analyze model.onnx --calib data.npz',
    'tinyml analyze model.onnx --calib data.npz --data labelled.npz --max-drop 0.5 -o out',
    'tinyml analyze model.onnx --calib data.npz --data labelled.npz --max-latency-us 5000 --board nucleo-f446re',
  ],
  options: [
    { ...calibOption, required: true },
    {
      flags: '--data <data>',
      help: 'labelled samples x and y, to count what is lost in points',
      path: 'input',
    },
    metricOption,
    {
      flags: '--max-drop <points>',
      help: 'points that may be lost against float: percent of top-1, hundredths of an AUC (default: 0.5 with --data)',
      parse: numberFrom(0, 100),
    },
    { flags: '--max-latency-us <us>', help: 'time of one inference on the board', parse: numberFrom(0, 1e9) },
    {
      flags: '--max-ram <bytes>',
      help: 'memory on the board: arena, static and stack',
      parse: numberFrom(0, 1e9),
    },
    { flags: '--max-flash <bytes>', help: 'size of the firmware image', parse: numberFrom(0, 1e9) },
    {
      flags: '--board <id>',
      help: `measure each attempt on this board (default with such a limit: ${usualBoard})`,
      path: 'none',
    },
    portOption,
    { flags: '--all', help: 'try every remedy, also when the budget holds' },
    {
      flags: '-o, --output <dir>',
      help: 'write the conversion that was chosen, and the plot, to this folder',
      path: 'folder',
    },
    forceOption,
    { flags: '--plot <file>', help: 'write the Pareto plot as .svg', path: 'output' },
    ...recipeOptions,
    inputShapeOption,
  ],
  async run(context, [path = ''], options) {
    const model = openModel(context, path, options.inputShape);
    if (isQuantized(model.graph)) throw analyzeNeedsFloat(model.name);
    const labelled =
      options.data === undefined ? undefined : await readLabelled(context, model, options.data, options);
    const budget = budgetOf(options, labelled !== undefined);
    const limited = [budget.maxLatencyUs, budget.maxRam, budget.maxFlash].some(
      (limit) => limit !== undefined,
    );
    const board =
      limited || options.board !== undefined ? chooseBoard(options.board ?? usualBoard) : undefined;
    const start = { ...defaultRecipe, ...recipeOf(options) };
    const { layers, warnings } = await diagnoseModel(context, model, options.calib, start, labelled);
    for (const warning of warnings) context.output.warn(warning);
    const climb = { model, calib: options.calib, labelled, budget, board, port: options.port };
    const climbed = await context.output.step('try remedies', (progress) =>
      climbLadder(context, climb, start, remediesFor(layers), { all: options.all === true, progress }),
    );
    const base = {
      model: { path, sha256: model.sha256, format: model.format },
      metric: labelled?.float.metric ?? null,
      n: labelled?.float.n ?? null,
      float: labelled?.float.value ?? null,
      board: board?.id ?? null,
      budget,
      holds: climbed.holds,
      layers,
      chosen: climbed.chosen,
      warnings,
    };
    const plot = tradeOff({ ...base, attempts: climbed.attempts });
    const attempts = climbed.attempts.map((attempt, i) => {
      return { ...attempt, pareto: plot.points[i]!.kind !== 'other' };
    });
    const report: AnalyzeReport = { ...base, attempts };
    if (options.output !== undefined) {
      const conversion = reportOf(model, climbed.converted, { recipe: climbed.recipe });
      const files = new Map([...climbed.converted.files, ['pareto.svg', scatterSvg(plot)] as const]);
      writeModelFolder(context, options.output, conversion, { ...climbed.converted, files }, options);
    }
    if (options.plot !== undefined) writeFileAtomically(options.plot, scatterSvg(plot), context.lifetime);
    context.output.result(report, () => renderAnalyze(report));
    return climbed.holds ? 0 : 3;
  },
});
