import { type Board, type EspBoard, isEsp } from '../../boards/load.ts';
import { flashEsp } from '../../device/esp/flash-esp.ts';
import { isNamedReset } from '../../device/esp/reset-sequence.ts';
import { flashStm32 } from '../../device/stm32-bootloader/flash-stm32.ts';
import type { Context } from '../context.ts';
import type { Progress } from '../output.ts';
import { type BoardLink, findPort, type LinkChoice, withBoard } from './board-link.ts';
import { badFlashMethod, flashMethodMissing, noWayToFlash } from './errors.ts';
import { checkEspImage } from './flash/check-esp-image.ts';
import type { Flasher, FlashMethod, ImageReport, SerialFlasher } from './flash/flasher.ts';
import { massStorage } from './flash/mass-storage.ts';
import { stLink } from './flash/st-link.ts';
import { usbDfu } from './flash/usb-dfu.ts';
import { stm32TargetOf } from './stm32-target.ts';

export type { ImageReport } from './flash/flasher.ts';

interface Phase {
  readonly phase: string;
  readonly done: number;
  readonly total: number;
}

const inPercent =
  (progress: Progress) =>
  ({ phase, done, total }: Phase) =>
    progress(`${phase} ${total > 0 ? Math.floor((100 * done) / total) : 0} %`);

const flashByUart: SerialFlasher['flash'] = ({ lifetime }, { board, transport }, image, progress) => {
  if (board.family !== 'stm32') throw noWay(board);
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
  return {
    chip: chip.family,
    flashBytes: chip.flash.bytes,
    reset: isNamedReset(reset) ? reset : { custom: reset },
    baud,
    signal: lifetime.signal,
  };
}

const flashByEspLoader: SerialFlasher['flash'] = async (context, { board, transport }, image, progress) => {
  if (!isEsp(board)) throw noWay(board);
  checkEspImage(image, board);
  const report = await flashEsp(transport, [{ address: board.chip.bootloader.imageOffset, data: image }], {
    ...espLoaderOptions(board, context),
    onProgress: inPercent(progress),
  });
  if (!report.started) context.output.warn(`${board.id}: press EN (RST) to start the program`);
  return report;
};

/** One row for each way; a board's file says which it has, the preferred one first. */
const flashers: readonly (Flasher | SerialFlasher)[] = [
  massStorage,
  stLink,
  usbDfu,
  { method: 'stm32-uart', needsPort: true, flash: flashByUart },
  { method: 'esp-serial', needsPort: true, flash: flashByEspLoader },
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

const methodsOf = (board: Board): readonly FlashMethod[] => board.flash.map(({ method }) => method);

/** The ways that a board has, or the one of them that is insisted on. E_WRONG_CHOICE. */
function waysOf(board: Board, method: string | undefined): (Flasher | SerialFlasher)[] {
  const methods = methodsOf(board);
  const wanted = methods.filter((one) => method === undefined || one === method);
  if (method !== undefined && wanted.length === 0) throw badFlashMethod(board.id, method, methods);
  return wanted.flatMap((one) => flashers.find((flasher) => flasher.method === one) ?? []);
}

/**
 * A way past the serial port that can be taken now, or why none can. A port that the user names goes before what the
 * board's file lists behind it.
 */
async function pastSerial({
  board,
  port,
  method,
}: Pick<BoardLink, 'board' | 'port' | 'method'>): Promise<Flasher | readonly string[]> {
  const reasons: string[] = [];
  for (const way of waysOf(board, method)) {
    if (way.needsPort && port !== undefined) break;
    if (way.needsPort) continue;
    // What is insisted on says itself what is wrong.
    const why = method === undefined ? await way.whyNot(board) : undefined;
    if (why === undefined) return way;
    reasons.push(`${way.method}: ${why}`);
  }
  return reasons;
}

const isFlasher = (found: Flasher | readonly string[]): found is Flasher => 'flash' in found;

/**
 * Writes an image by the first way that the board has and that is here: through what is plugged in, through the boot
 * loader on the open port, or into the emulator where there is none of it.
 */
export async function flashBoard(
  context: Context,
  link: BoardLink,
  image: Uint8Array,
  progress: Progress,
): Promise<ImageReport> {
  const { board, load, method } = link;
  if (load) return loadImage(load, image);
  const other = await pastSerial(link);
  if (isFlasher(other)) return other.flash(context, link, image, progress);
  const serial = waysOf(board, method).find(({ needsPort }) => needsPort) as SerialFlasher | undefined;
  if (!serial) throw other.length > 0 ? noWayToFlash(board.id, other) : noWay(board);
  return serial.flash(context, link, image, progress);
}

/** The same where nothing else is to be done with the board, so that its serial port need not be there. */
export async function flashOnly(
  context: Context,
  board: Board,
  port: string | undefined,
  image: Uint8Array,
  progress: Progress,
  choice: LinkChoice = {},
): Promise<ImageReport> {
  const other = await pastSerial({ board, port, method: choice.method });
  if (isFlasher(other)) return other.flash(context, { board, port }, image, progress);
  if (other.length > 0 && port === undefined && board.emulator === undefined) {
    const found = await findPort(board).catch((error) => error);
    if (typeof found !== 'string') {
      const serial = `the serial port: ${found.message ?? found}`;
      throw found.code === 'E_NO_BOARD' ? noWayToFlash(board.id, [...other, serial]) : found;
    }
  }
  return withBoard(context, board, port, (link) => flashBoard(context, link, image, progress), choice);
}
