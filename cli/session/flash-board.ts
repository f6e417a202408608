import { type Board, type EspBoard, isEsp } from '../../boards/load.ts';
import { flashEsp } from '../../device/esp/flash-esp.ts';
import { type FlashReport, flashStm32 } from '../../device/stm32-bootloader/flash-stm32.ts';
import type { Context } from '../context.ts';
import { flashMethodMissing } from '../errors.ts';
import type { Progress } from '../output.ts';
import { type BoardLink, stm32TargetOf } from './board-link.ts';

/** What is known of an image's way onto any board. */
export type ImageReport = Pick<
  FlashReport,
  'imageBytes' | 'bytesWritten' | 'bytesKept' | 'bytesVerified' | 'elapsedMs'
>;

type Method = Board['flash'][number]['method'];

interface Flasher {
  readonly method: Method;
  readonly flash: (
    context: Context,
    link: BoardLink,
    image: Uint8Array,
    progress: Progress,
  ) => Promise<ImageReport>;
}

interface Phase {
  readonly phase: string;
  readonly done: number;
  readonly total: number;
}

const inPercent =
  (progress: Progress) =>
  ({ phase, done, total }: Phase) =>
    progress(`${phase} ${total > 0 ? Math.floor((100 * done) / total) : 0} %`);

const flashByUart: Flasher['flash'] = ({ lifetime }, { board, transport }, image, progress) => {
  if (board.family !== 'stm32f4') throw noWay(board);
  return flashStm32(transport, image, {
    target: stm32TargetOf(board),
    baud: board.serial.baud,
    signal: lifetime.signal,
    onProgress: inPercent(progress),
  });
};

/** How the loader of an Espressif chip is started and talked to. */
export function espLoaderOptions({ chip, flash }: EspBoard, { lifetime }: Context) {
  const { reset, baud } = flash.find(({ method }) => method === 'esp-serial')!;
  return { chip: chip.family, flashBytes: chip.flash.bytes, reset, baud, signal: lifetime.signal };
}

const flashByEspLoader: Flasher['flash'] = async (context, { board, transport }, image, progress) => {
  if (!isEsp(board)) throw noWay(board);
  const report = await flashEsp(transport, [{ address: board.chip.bootloader.imageOffset, data: image }], {
    ...espLoaderOptions(board, context),
    onProgress: inPercent(progress),
  });
  if (!report.started) context.output.warn(`${board.id}: press EN (RST) to start the program`);
  return report;
};

/** One row for each way; a board takes the first of its own that is here. */
const flashers: readonly Flasher[] = [
  { method: 'stm32-uart', flash: flashByUart },
  { method: 'esp-serial', flash: flashByEspLoader },
];

const noWay = (board: Board) =>
  flashMethodMissing(
    board.id,
    board.flash.map(({ how }) => how),
  );

async function loadImage(load: NonNullable<BoardLink['load']>, image: Uint8Array): Promise<ImageReport> {
  const began = performance.now();
  await load(image);
  const bytes = { imageBytes: image.length, bytesWritten: image.length, bytesVerified: image.length };
  return { ...bytes, bytesKept: 0, elapsedMs: performance.now() - began };
}

/** Writes an image through the boot loader, or into the emulator where there is none, and proves that it is there. */
export async function flashBoard(
  context: Context,
  link: BoardLink,
  image: Uint8Array,
  progress: Progress,
): Promise<ImageReport> {
  const { board, load } = link;
  if (load) return loadImage(load, image);
  for (const { method } of board.flash) {
    const flasher = flashers.find((one) => one.method === method);
    if (flasher) return flasher.flash(context, link, image, progress);
  }
  throw noWay(board);
}
