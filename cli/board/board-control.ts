import type { Board, EspBoard, Stm32Board } from '../../boards/load.ts';
import { eraseEsp } from '../../device/esp/erase-esp.ts';
import { resetEsp } from '../../device/esp/reset-esp.ts';
import {
  type EraseReport,
  eraseStm32,
  type FlashRange,
  startStm32,
} from '../../device/stm32-bootloader/erase-stm32.ts';
import type { Transport } from '../../device/transport/transport.ts';
import { defaultWiring, pulseAnyReset, pulseReset, releaseReset } from '../../device/transport/wiring.ts';
import type { Context } from '../context.ts';
import type { Progress } from '../output.ts';
import { flashMethodMissing } from './errors.ts';
import { espLoaderOptions } from './flash-board.ts';
import { stm32TargetOf } from './stm32-target.ts';

export type { EraseReport, FlashRange } from '../../device/stm32-bootloader/erase-stm32.ts';

/** A board on an open port, to be restarted or erased. */
export interface Controlled {
  readonly board: Board;
  readonly transport: Transport;
  readonly context: Context;
}

type Method = Board['flash'][number]['method'];

/** What can be done to a board through its serial port, by the way it is flashed. */
interface BoardControl {
  readonly methods: readonly Method[];
  /** Puts the modem lines so that the program runs; opening a port raises both. */
  readonly release?: (target: Controlled) => Promise<void>;
  readonly reset: (target: Controlled) => Promise<void>;
  readonly erase?: (
    target: Controlled,
    range: FlashRange | undefined,
    progress: Progress,
  ) => Promise<EraseReport>;
}

const resetHoldMs = 20;
/** A boot loader that runs answers at once; the rest is for a line that is bad. */
const lookMs = 3_000;

const pulse = ({ transport, context }: Controlled) =>
  pulseReset(transport, defaultWiring, resetHoldMs, context.lifetime.signal);

const stm32Options = ({ board, context }: Controlled) => ({
  target: stm32TargetOf(board as Stm32Board),
  baud: board.serial.baud,
  signal: context.lifetime.signal,
});

/** A pty tells only when it is tried that it has no modem lines; then the boot loader, if it runs, starts the program. */
async function resetStm32(target: Controlled): Promise<void> {
  if (target.transport.hasSignals) await pulse(target);
  if (target.transport.hasSignals) return;
  await startStm32(target.transport, { ...stm32Options(target), timeouts: { connectMs: lookMs } });
}

const espOptions = ({ board, context }: Controlled) => espLoaderOptions(board as EspBoard, context);

/** One row for each way; a board takes the first that it has. */
const controls: readonly BoardControl[] = [
  {
    methods: ['stm32-uart'],
    release: ({ transport }) => releaseReset(transport, defaultWiring, 'flash'),
    reset: resetStm32,
    erase: (target, range, progress) =>
      eraseStm32(target.transport, {
        ...stm32Options(target),
        ...(range ? { range } : {}),
        onProgress: (done, total) => progress(`${Math.floor((100 * done) / total)} %`),
      }),
  },
  {
    methods: ['esp-serial'],
    // Both lines released leave EN and IO0 high.
    release: ({ transport }) => transport.setSignals({ dtr: false, rts: false }),
    reset: async (target) => void (await resetEsp(target.transport, espOptions(target))),
    erase: (target, range, progress) =>
      eraseEsp(target.transport, {
        ...espOptions(target),
        ...(range ? { range } : {}),
        onProgress: (done, total) => progress(`${Math.floor((100 * done) / total)} %`),
      }),
  },
  { methods: ['emulator'], reset: pulse },
];

function controlOf(board: Board): BoardControl | undefined {
  return controls.find(({ methods }) => board.flash.some(({ method }) => methods.includes(method)));
}

const waysOf = (board: Board) => board.flash.map(({ how }) => how);

/** Lets a board's program run on a port that was just opened. Nothing is touched for a board that is not known. */
export async function releaseBoard(
  context: Context,
  board: Board | undefined,
  transport: Transport,
): Promise<void> {
  if (board && transport.hasSignals) await controlOf(board)?.release?.({ board, transport, context });
}

/** Restarts the program of a board; one that is not known is tried with all usual wirings. E_FLASH_METHOD. */
export async function resetBoard(
  context: Context,
  board: Board | undefined,
  transport: Transport,
): Promise<void> {
  if (!board) return pulseAnyReset(transport, context.lifetime.signal);
  const control = controlOf(board);
  if (!control) throw flashMethodMissing(board.id, waysOf(board));
  await control.reset({ board, transport, context });
}

/** Erases the flash of a board, or a range of it. E_FLASH_METHOD and what the way to the board throws. */
export async function eraseBoard(
  target: Controlled,
  range: FlashRange | undefined,
  progress: Progress,
): Promise<EraseReport> {
  const { board } = target;
  const erase = controlOf(board)?.erase;
  if (!erase) throw flashMethodMissing(board.id, waysOf(board));
  return erase(target, range, progress);
}
