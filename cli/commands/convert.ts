import type { ConvertedModel, Engine, Scheme } from '../../converter/convert-model.ts';
import type { Accuracy } from '../../converter/metrics/metric.ts';
import type { DumpAfter } from '../../converter/pipeline.ts';
import { passes } from '../../converter/pipeline.ts';
import type { Recipe } from '../../converter/quant/recipe.ts';
import { chooseBoard } from '../board/board-choice.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { measureAccuracyOn } from '../engine/accuracy.ts';
import { readLabelledSet } from '../engine/labelled-set.ts';
import { wrongChoice } from '../errors.ts';
import { nameAfter } from '../files/default-places.ts';
import { writeFileAtomically } from '../files/output-file.ts';
import { refuseTooBig } from '../firmware/board-fit.ts';
import { convertOpenModel } from '../model/convert.ts';
import { type ExportFormat, exportFormats, exportModel, extensionOf } from '../model/export-model.ts';
import { type ModelReport, reportOf, writeModelFolder } from '../model/model-folder.ts';
import { type InputShapes, type OpenModel, openModel } from '../model/open-model.ts';
import { type RecipeOptions, recipeOf, recipeOptions } from '../model/recipe.ts';
import {
  calibOption,
  defaultBoard,
  type ForceFlag,
  forceOption,
  inputShapeOption,
  lastIsLabelOption,
  metricOption,
  optimizeOption,
  quantizeOption,
} from '../options.ts';
import { formatBytes, formatCount, formatLayer, formatShape } from '../report/format.ts';
import { peakText } from '../report/kernel-table.ts';
import { accuracyText } from '../report/score.ts';
import { renderTable } from '../report/table.ts';
import { printLine } from '../standard-streams.ts';
import { checkpointOf, removeCheckpoint } from '../train/checkpoint-file.ts';
import { type TrainFirstFlags, trainFirst, trainFirstOptions } from '../train/train-first.ts';

interface ConvertOptions extends RecipeOptions, TrainFirstFlags, ForceFlag {
  readonly output: string;
  readonly calib?: string;
  readonly data?: string;
  readonly metric?: string;
  readonly labels?: boolean;
  readonly board?: string;
  readonly engine: Engine;
  readonly quantize: Scheme;
  readonly optimize: 'speed' | 'size';
  readonly inputShape?: InputShapes;
  readonly dumpAfter?: string;
  readonly to?: ExportFormat;
}

/** Prints the graph after one pass: on stdout as a rule, on stderr where stdout is for JSON. */
function dumpAfter(context: Context, wanted: string): DumpAfter {
  const names = passes.map((pass) => pass.name);
  if (!names.includes(wanted)) throw wrongChoice('--dump-after', wanted, names);
  const stream = context.output.flags.json ? 'stderr' : 'stdout';
  return (pass, text) => {
    if (pass === wanted) printLine(stream, text());
  };
}

export function renderReport(report: ModelReport, folder: string): string {
  const decibels = (value: number | null) => (value === null ? '' : value.toFixed(1));
  const rows = report.layers.map((layer) => [
    formatLayer(layer.name),
    layer.op,
    formatShape(layer.outShape),
    formatCount(layer.macs),
    formatCount(layer.weightsBytes),
    decibels(layer.sqnrDb),
  ]);
  const table = renderTable(
    [
      { title: 'layer' },
      { title: 'op' },
      { title: 'output' },
      { title: 'MACs', align: 'right' },
      { title: 'weights', align: 'right' },
      { title: 'SQNR dB', align: 'right' },
    ],
    rows,
  );
  const totals = [
    `${formatCount(report.macs)} MACs`,
    `${formatBytes(report.weightsBytes)} weights`,
    `${formatBytes(report.arenaBytes)} arena`,
    report.quantize,
    `engine ${report.engine}`,
  ];
  const arena = report.peak ? `\n${peakText(report.arenaBytes, report.peak)}` : '';
  const score = report.accuracy ? `\naccuracy: ${accuracyText(report.accuracy)}` : '';
  return `${table}\n\n${totals.join(', ')}${arena}${score}\nwrote ${folder}: ${Object.values(report.files).join(', ')}`;
}

/** One file in place of a folder; the result is the report with its name. */
function writeExport(
  context: Context,
  model: OpenModel,
  converted: ConvertedModel,
  choice: ConvertOptions & { readonly recipe: Partial<Recipe>; readonly accuracy: Accuracy | undefined },
  format: ExportFormat,
): number {
  const path = choice.output;
  writeFileAtomically(path, exportModel(context, converted, format), context.lifetime);
  const { accuracy } = choice;
  const report = {
    ...reportOf(model, converted, choice),
    files: { [format]: path },
    ...(accuracy ? { accuracy } : {}),
  };
  const score = accuracy ? `${accuracyText(accuracy)}\n` : '';
  context.output.result(report, () => `${score}wrote ${path} (${format})`);
  return 0;
}

/** On `--data`, which then has to have labels. */
function accuracyOf(
  context: Context,
  model: OpenModel,
  converted: ConvertedModel,
  { data, metric, labels: lastIsLabel = false }: ConvertOptions,
): Promise<Accuracy | undefined> {
  if (data === undefined) return Promise.resolve(undefined);
  return context.output.step('measure accuracy', async () => {
    const set = await readLabelledSet(context, model, data, { metric, lastIsLabel });
    return measureAccuracyOn(context, model, converted, set);
  });
}

export const command = defineCommand<ConvertOptions>({
  usage: '<model>',
  paths: ['input'],
  description:
    'Quantizes a model and writes TFLite, C and a report to a folder. A float model needs typical inputs (--calib).',
  examples: [
    'tinyml convert model.onnx --calib data.npz -o out',
    'tinyml convert model.tflite --engine tflm -o out',
    'tinyml convert model.onnx --prune macs=0.5 --qat --train train.npz --calib data.npz -o out',
    'tinyml convert model.onnx --input-shape input=1,3,128 --calib data.npz',
  ],
  options: [
    {
      flags: '-o, --output <dir>',
      help: 'the folder to write (default: the name of the model, in the working folder)',
      path: ({ to }) => (to === undefined ? 'folder' : 'output'),
      fallbackFrom: ([model = ''], { to }) =>
        `${nameAfter(model)}${to === undefined ? '' : extensionOf[to as ExportFormat]}`,
    },
    forceOption,
    calibOption,
    {
      flags: '--data <data>',
      help: 'labelled samples: tell the accuracy of the float and of the converted model',
      path: 'input',
    },
    metricOption,
    lastIsLabelOption,
    {
      flags: '--engine <engine>',
      help: 'aot: C made for this model; tflm: an array for TensorFlow Lite Micro',
      choices: ['aot', 'tflm'],
      fallback: 'aot',
      setting: 'convertEngine',
    },
    quantizeOption,
    ...recipeOptions,
    ...trainFirstOptions,
    optimizeOption,
    { flags: '--board <id>', help: 'refuse a model that is too big for this board', path: 'none' },
    inputShapeOption,
    {
      flags: '--to <format>',
      help: 'write one file of this format instead of a folder; -o names it',
      choices: exportFormats,
    },
    { flags: '--dump-after <pass>', help: 'print the graph as it is after a pass', path: 'none' },
  ],
  alsoWrites: ({ prune, output }) => (prune === undefined ? [] : checkpointOf(output)),
  async run(context, [path = ''], options) {
    const dump = options.dumpAfter === undefined ? undefined : dumpAfter(context, options.dumpAfter);
    const model = openModel(context, path, options.inputShape);
    const { output: folder } = options;
    const recipe = recipeOf(options);
    const place = { calib: options.calib, board: options.board ?? defaultBoard, output: folder, recipe };
    const { model: trained, words, learnedRanges } = await trainFirst(context, model, options, place);
    const choice = {
      ...options,
      recipe,
      trained: words,
      ...(learnedRanges ? { learnedRanges } : {}),
      ...(dump ? { dump } : {}),
    };
    const converted = await convertOpenModel(context, trained, choice);
    if (options.board !== undefined) refuseTooBig(chooseBoard(options.board), converted);
    const accuracy = await accuracyOf(context, trained, converted, options);
    if (options.to !== undefined) {
      const code = writeExport(context, model, converted, { ...choice, accuracy }, options.to);
      if (options.prune) removeCheckpoint(folder);
      return code;
    }
    const report = { ...reportOf(model, converted, choice), ...(accuracy ? { accuracy } : {}) };
    writeModelFolder(context, folder, report, converted, options);
    if (options.prune) removeCheckpoint(folder);
    context.output.result(report, () => renderReport(report, folder));
    return 0;
  },
});
