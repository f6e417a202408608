import type { ConvertedModel, Scheme } from '../../converter/convert-model.ts';
import type { Accuracy } from '../../converter/metrics/metric.ts';
import { chooseBoard } from '../board/board-choice.ts';
import { type BoardLink, withBoard } from '../board/board-link.ts';
import { flashBoard } from '../board/flash-board.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { measureAccuracy } from '../engine/accuracy.ts';
import { refuseTooBig } from '../firmware/board-fit.ts';
import { buildFirmware, firmwareModelOf } from '../firmware/firmware.ts';
import { connectBench, subjectOfConverted } from '../measure/bench-subject.ts';
import { measureBoard } from '../measure/measure-board.ts';
import { verifyBoard } from '../measure/verify-board.ts';
import { convertOpenModel } from '../model/convert.ts';
import { reportOf, writeModelFolder } from '../model/model-folder.ts';
import { type InputShapes, type OpenModel, openModel } from '../model/open-model.ts';
import { type RecipeOptions, recipeOf, recipeOptions } from '../model/recipe.ts';
import {
  boardOption,
  calibOption,
  countUpTo,
  type ForceFlag,
  forceOption,
  inputShapeOption,
  methodOption,
  metricOption,
  optimizeOption,
  portOption,
  quantizeOption,
  weightsOption,
} from '../options.ts';
import { type DeployReport, renderDeploy } from '../report/deploy-table.ts';

interface DeployOptions extends RecipeOptions, ForceFlag {
  readonly output?: string;
  readonly board: string;
  readonly port?: string;
  readonly method?: string;
  readonly calib?: string;
  readonly quantize: Scheme;
  readonly data?: string;
  readonly metric?: string;
  readonly runs: number;
  readonly optimize: 'speed' | 'size';
  readonly weights: 'plain' | 'coded';
  readonly inputShape?: InputShapes;
}

const verifiedVectors = 8;

async function accuracyOf(
  context: Context,
  model: OpenModel,
  converted: ConvertedModel,
  options: DeployOptions,
): Promise<Accuracy | undefined> {
  const path = options.data ?? options.calib;
  if (path === undefined) return undefined;
  return context.output.step('measure accuracy', () =>
    measureAccuracy(context, model, converted, path, options),
  );
}

export const command = defineCommand<DeployOptions>({
  usage: '<model>',
  paths: ['input'],
  description:
    'Takes a model to a measured board: converts and builds it, flashes it, compares the board with this machine bit ' +
    'for bit, and measures it. The default board is an emulated one that starts by itself.',
  examples: [
    'tinyml deploy model.onnx --calib data.npz',
    'tinyml deploy model.onnx --calib data.npz --board nucleo-f446re --port /dev/ttyUSB0 -o out',
  ],
  options: [
    calibOption,
    {
      flags: '--data <data>',
      help: 'labelled samples to measure accuracy on (default: those of --calib, if it has x and y)',
      path: 'input',
    },
    metricOption,
    boardOption,
    portOption,
    methodOption,
    { flags: '-o, --output <dir>', help: 'keep the converted model in this folder', path: 'folder' },
    forceOption,
    {
      flags: '--runs <n>',
      help: 'inferences to measure',
      parse: countUpTo(100_000),
      fallback: 10,
      setting: 'runs',
    },
    quantizeOption,
    ...recipeOptions,
    optimizeOption,
    weightsOption,
    inputShapeOption,
  ],
  async run(context, [path = ''], options) {
    const { output } = context;
    const board = chooseBoard(options.board);
    const model = openModel(context, path, options.inputShape);
    const choice = { ...options, recipe: recipeOf(options) };
    const converted = await convertOpenModel(context, model, choice);
    refuseTooBig(board, converted);
    const conversion = reportOf(model, converted, choice);
    if (options.output !== undefined)
      writeModelFolder(context, options.output, conversion, converted, options);
    const accuracy = await accuracyOf(context, model, converted, options);
    const firmware = await output.step(`build for ${board.id}`, () =>
      buildFirmware(context, board, {
        ...firmwareModelOf(model.name, converted, options.optimize),
        weights: options.weights,
      }),
    );
    const subject = subjectOfConverted(model.path, converted);
    const measured = async (link: BoardLink) => {
      await output.step(`flash ${board.id}`, (progress) => flashBoard(context, link, firmware.bin, progress));
      const client = await connectBench(context, link, subject);
      const vectors = { vectors: verifiedVectors, allLayers: false };
      const verify = await output.step('verify', (progress) =>
        verifyBoard(context, client, subject, vectors, progress),
      );
      const runs = { runs: options.runs, sizes: firmware.sizes };
      const bench = await output.step('measure', (progress) =>
        measureBoard(client, link, subject, runs, progress),
      );
      return { verify, bench };
    };
    const onBoard = await withBoard(context, board, options.port, measured, { method: options.method });
    const report: DeployReport = {
      board: board.id,
      accuracy: accuracy ?? null,
      convert: conversion,
      ...onBoard,
    };
    output.result(report, () => renderDeploy(report, board, output.style));
    return report.verify.bitExact ? 0 : 3;
  },
});
