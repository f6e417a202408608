import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Board } from '../../boards/load.ts';
import { elfSizes, type ImageSizes } from '../../firmware-templates/elf-sizes.ts';
import type { Context } from '../context.ts';
import { readInputFile } from '../files/input-file.ts';
import { firmwareName } from '../files/owned-folder.ts';
import { engineNotBuilt } from '../firmware/errors.ts';
import { buildFirmware } from '../firmware/firmware.ts';
import type { ModelFolder } from '../model/model-folder.ts';
import type { BenchSubject } from './bench-subject.ts';

const imageLimit = 67_108_864;

export interface FlashImage {
  readonly elf: Uint8Array;
  readonly bin: Uint8Array;
  readonly sizes: ImageSizes;
}

export function subjectOf(folder: ModelFolder): BenchSubject {
  const { report, graph, tflite, sources } = folder;
  const { engine, layers, model } = report;
  return { name: model.path, engine, graph, tflite, layers, files: sources };
}

/** The firmware of a model folder for a board: what `tinyml build` left there, otherwise built now. */
export async function firmwareOf(context: Context, board: Board, folder: ModelFolder): Promise<FlashImage> {
  const { report, graph, tflite, sources, path } = folder;
  if (report.engine !== 'aot') throw engineNotBuilt(path, report.engine);
  const built = join(path, firmwareName, board.id);
  if (existsSync(join(built, 'firmware.bin'))) {
    const read = (name: string) =>
      readInputFile(join(built, name), { expected: 'firmware', limit: imageLimit }).bytes;
    const elf = read('firmware.elf');
    return { elf, bin: read('firmware.bin'), sizes: elfSizes(elf) };
  }
  return context.output.step(`build for ${board.id}`, () =>
    buildFirmware(context, board, { ...report, name: report.model.path, graph, tflite, sources }),
  );
}
