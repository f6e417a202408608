import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Board, firmwareFacts, loadBoard } from '../../boards/load.ts';
import { espImage } from '../../firmware-templates/esp-image.ts';
import {
  type FirmwarePlan,
  firmwareTemplates,
  renderFirmware,
  type ToolRun,
} from '../../firmware-templates/render.ts';

const root = join(import.meta.dirname, '../..');
const textOf = (path: string) => readFileSync(join(root, path), 'utf8');

/** The plan of the hand-made model's firmware for a board or its id, with lines of C put before the model's text. */
export function tinyPlan(
  of: string | Board,
  prologue = '',
  banner = 'made for a test',
  weightsBytes = 0,
): FirmwarePlan {
  const board = firmwareFacts(typeof of === 'string' ? loadBoard(of) : of);
  return renderFirmware({
    board,
    model: { layers: 4, inputKept: false, weightsBytes, arenaBytes: 0 },
    modelFiles: [
      { path: 'model.c', text: prologue + textOf('tests/firmware/fixtures/model.c') },
      { path: 'tml_model.h', text: textOf('firmware-templates/kernels/tml_model.h') },
    ],
    templates: firmwareTemplates(board.family).map((path) => ({
      path,
      text: textOf(`firmware-templates/${path}`),
    })),
    optimize: 'speed',
    stackBytes: 4096,
    banner,
  });
}

export const newFolder = () => mkdtempSync(join(tmpdir(), 'tinyml-firmware-'));

export function writePlan(plan: FirmwarePlan, folder = newFolder()): string {
  for (const file of plan.files) {
    mkdirSync(dirname(join(folder, file.path)), { recursive: true });
    writeFileSync(join(folder, file.path), file.text);
  }
  mkdirSync(join(folder, 'build'), { recursive: true });
  return folder;
}

function run(folder: string, { tool, args }: ToolRun, extra: readonly string[]): void {
  execFileSync(tool, [...extra, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Writes and builds a plan, warnings being errors; returns the folder. */
export function buildPlan(plan: FirmwarePlan, folder?: string): string {
  const place = writePlan(plan, folder);
  for (const unit of plan.compile) run(place, unit, ['-Werror']);
  run(place, plan.link, []);
  if (plan.espImage) {
    const elf = readFileSync(join(place, 'firmware.elf'));
    writeFileSync(join(place, 'firmware.bin'), espImage(elf, plan.espImage));
  }
  for (const image of plan.images) run(place, image, []);
  return place;
}
