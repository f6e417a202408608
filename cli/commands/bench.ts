import type { Board } from '../../boards/load.ts';
import type { Scheme } from '../../converter/convert-model.ts';
import { chooseBoard } from '../board/board-choice.ts';
import { withBoard } from '../board/board-link.ts';
import { flashBoard } from '../board/flash-board.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { statsAt } from '../files/final-path.ts';
import { buildFirmware, firmwareModelOf } from '../firmware/firmware.ts';
import { type BenchSubject, connectBench, subjectOfConverted } from '../measure/bench-subject.ts';
import { type FlashImage, firmwareOf, subjectOf } from '../measure/folder-bench.ts';
import { measureBoard } from '../measure/measure-board.ts';
import { modelCycles } from '../measure/model-cycles.ts';
import { convertOpenModel } from '../model/convert.ts';
import { readModelFolder } from '../model/model-folder.ts';
import { type InputShapes, openModel } from '../model/open-model.ts';
import { type RecipeOptions, recipeOf, recipeOptions } from '../model/recipe.ts';
import {
  boardOption,
  calibOption,
  countUpTo,
  inputShapeOption,
  optimizeOption,
  portOption,
  quantizeOption,
  weightsOption,
} from '../options.ts';
import { renderBench, renderProfile } from '../report/bench-table.ts';
import { renderCycles } from '../report/cycles-table.ts';

interface BenchOptions extends RecipeOptions {
  readonly board: string;
  readonly port?: string;
  readonly calib?: string;
  readonly quantize: Scheme;
  readonly runs: number;
  readonly profile?: boolean;
  readonly cycles?: boolean;
  readonly optimize: 'speed' | 'size';
  readonly weights: 'plain' | 'coded';
  readonly inputShape?: InputShapes;
}

interface Prepared {
  readonly subject: BenchSubject;
  /** Absent where the board holds the firmware and only its sizes are wanted. */
  readonly image: FlashImage;
  /** A model was named, so whatever the board holds is replaced. */
  readonly mustFlash: boolean;
}

async function prepare(
  context: Context,
  path: string,
  board: Board,
  options: BenchOptions,
): Promise<Prepared> {
  if (statsAt(path)?.isDirectory()) {
    const folder = readModelFolder(path);
    return { subject: subjectOf(folder), image: await firmwareOf(context, board, folder), mustFlash: false };
  }
  const model = openModel(context, path, options.inputShape);
  const converted = await convertOpenModel(context, model, { ...options, recipe: recipeOf(options) });
  const image = await context.output.step(`build for ${board.id}`, () =>
    buildFirmware(context, board, {
      ...firmwareModelOf(model.name, converted, options.optimize),
      weights: options.weights,
    }),
  );
  return { subject: subjectOfConverted(model.path, converted), image, mustFlash: true };
}

export const command = defineCommand<BenchOptions>({
  usage: '<dir-or-model>',
  paths: ['input'],
  description:
    'Measures latency, instructions and memory on a board. A model is converted, built and flashed first; of a ' +
    'folder made by convert, the firmware must be on a real board already, while a virtual one is flashed by itself.',
  examples: [
    'tinyml bench out --profile',
    'tinyml bench model.tflite',
    'tinyml bench out --port /dev/ttyACM0 --runs 100',
  ],
  options: [
    boardOption,
    portOption,
    calibOption,
    {
      flags: '--runs <n>',
      help: 'inferences to measure',
      parse: countUpTo(100_000),
      fallback: 10,
      setting: 'runs',
    },
    { flags: '--profile', help: 'show the time of each layer' },
    {
      flags: '--cycles',
      help: 'model the cycles of a Cortex-M4 from all that the emulator executes (takes seconds)',
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
    const { subject, image, mustFlash } = await prepare(context, path, board, options);
    const report = await withBoard(context, board, options.port, async (link) => {
      if (link.isFresh || mustFlash) {
        await output.step(`flash ${board.id}`, (progress) => flashBoard(context, link, image.bin, progress));
      }
      const client = await connectBench(context, link, subject);
      const choice = { runs: options.runs, sizes: image.sizes };
      return output.step('measure', (progress) => measureBoard(client, link, subject, choice, progress));
    });
    const modelled =
      options.cycles === true
        ? await output.step('model cycles', (progress) =>
            modelCycles(context, board, subject, image, progress),
          )
        : null;
    output.result({ ...report, modelledCycles: modelled }, () =>
      [
        renderBench(report),
        ...(options.profile ? [renderProfile(report)] : []),
        ...(modelled ? [renderCycles(modelled)] : []),
      ].join('\n\n'),
    );
    return 0;
  },
});
