import { join } from 'node:path';
import { type Board, dataRam } from '../../boards/load.ts';
import { chooseBoard } from '../board/board-choice.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import type { FileContent } from '../files/durable.ts';
import { writeBuildFolder } from '../firmware/build-folder.ts';
import { engineNotBuilt } from '../firmware/errors.ts';
import { espIdfProject } from '../firmware/esp-idf.ts';
import { buildFirmware } from '../firmware/firmware.ts';
import { type ModelFolder, readModelFolder } from '../model/model-folder.ts';
import { boardOption, type ForceFlag, forceOption, weightsOption } from '../options.ts';
import { renderSizes } from '../report/size-table.ts';

interface BuildOptions extends ForceFlag {
  readonly board: string;
  readonly weights: 'plain' | 'coded';
  readonly project?: 'esp-idf';
}

/** Puts an ESP-IDF project beside the firmware of the same board. */
function writeProject(context: Context, board: Board, model: ModelFolder, options: BuildOptions): void {
  const files = espIdfProject(board, model);
  const folder = writeBuildFolder(context, model.path, `${board.id}-esp-idf`, board, files, options);
  context.output.result(
    { board: board.id, project: 'esp-idf', folder, files: [...files.keys()] },
    () => `wrote ${folder}\nidf.py -C ${folder} build flash`,
  );
}

export const command = defineCommand<BuildOptions>({
  usage: '<dir>',
  paths: ['input'],
  description: 'Compiles a converted model to benchmark firmware for a board: firmware.elf, .bin, .hex.',
  examples: [
    'tinyml build out',
    'tinyml build out --board nucleo-f446re',
    'tinyml build out --board esp32-s3-devkitc-1 --project esp-idf',
  ],
  options: [
    boardOption,
    weightsOption,
    {
      flags: '--project <kind>',
      help: 'write a project for another build system instead of compiling',
      choices: ['esp-idf'],
    },
    forceOption,
  ],
  async run(context, [path = ''], options) {
    const board = chooseBoard(options.board);
    const model = readModelFolder(path);
    if (options.project) {
      writeProject(context, board, model, options);
      return 0;
    }
    if (model.report.engine !== 'aot') throw engineNotBuilt(path, model.report.engine);
    const firmware = await context.output.step(`build for ${board.id}`, () =>
      buildFirmware(context, board, {
        ...model.report,
        weights: options.weights,
        name: model.report.model.path,
        graph: model.graph,
        tflite: model.tflite,
        sources: model.sources,
      }),
    );
    const images = { elf: 'firmware.elf', bin: 'firmware.bin', hex: 'firmware.hex' } as const;
    const files = new Map<string, FileContent>(firmware.files);
    for (const [kind, name] of Object.entries(images)) files.set(name, firmware[kind as keyof typeof images]);
    const folder = writeBuildFolder(context, path, board.id, board, files, options);
    const paths = Object.fromEntries(
      Object.entries(images).map(([kind, name]) => [kind, join(folder, name)]),
    );
    const { chip } = board;
    context.output.result(
      { board: board.id, sizes: firmware.sizes, files: paths },
      () => `${renderSizes(firmware.sizes, chip.flash.bytes, dataRam(chip).bytes)}\nwrote ${folder}`,
    );
    return 0;
  },
});
