import {
  type Board,
  dataRam,
  type EspBoard,
  isEsp,
  type Rv32VirtBoard,
  type Stm32Board,
} from '../../boards/load.ts';
import { listPorts } from '../../device/transport/list-ports.ts';
import { openTransport } from '../../device/transport/open-transport.ts';
import type { Transport } from '../../device/transport/transport.ts';
import { isVirtualEspChip } from '../../device/virtual/esp/esp-profile.ts';
import { startVirtualEsp } from '../../device/virtual/esp/start-virtual-esp.ts';
import { espProcessors } from '../../device/virtual/esp-cpu/esp-processors.ts';
import { startVirtualRv32, type VirtualRv32 } from '../../device/virtual/start-virtual-rv32.ts';
import {
  startVirtualStm32,
  type VirtualBoard,
  type VirtualStm32Options,
} from '../../device/virtual/start-virtual-stm32.ts';
import type { Context } from '../context.ts';
import { flashMethodMissing, noBoardFound, severalBoardsFound } from './errors.ts';
import { followNativeUsb } from './native-usb.ts';
import { stm32TargetOf } from './stm32-target.ts';
import { showsIds, systemRoot } from './usb-boards.ts';

/** A board that can be talked to. Closed at the end of the command in any case. */
export interface BoardLink {
  readonly board: Board;
  readonly transport: Transport;
  /** The port as the user named it, if at all. */
  readonly port?: string | undefined;
  /** The way to flash that the user insists on. */
  readonly method?: string | undefined;
  /** Whether tinyml started the board itself, so that nothing is on it yet. */
  readonly isFresh: boolean;
  /** Puts an image on an emulated board that has no boot loader, if it was started here. */
  readonly load?: (image: Uint8Array) => Promise<void>;
  close(): Promise<void>;
}

export type VirtualChoice = Pick<VirtualStm32Options, 'pty' | 'boot' | 'port' | 'flashFile' | 'onTrace'>;

/** What a command says of the link that it wants. */
export interface LinkChoice extends VirtualChoice {
  readonly method?: string | undefined;
}

type StartOptions = VirtualChoice & Pick<VirtualStm32Options, 'signal' | 'onNote'>;

const notVirtual = (board: Board) =>
  flashMethodMissing(board.id, ['it is a real board; only virtual ones can be started']);

function startStm32(board: Stm32Board, options: StartOptions): Promise<VirtualBoard> {
  const { emulator, chip } = board;
  if (!emulator) throw notVirtual(board);
  const target = stm32TargetOf(board);
  return startVirtualStm32({
    ...options,
    flashBytes: chip.flash.bytes,
    sramBytes: dataRam(chip).bytes,
    chipId: target.chipId,
    sectors: target.sectors,
    // The boot loader of an STM32F1 is of the time before the extended erase command.
    erase: chip.line === 'f1' ? 'plain' : 'extended',
    qemuBinary: emulator.program,
    qemuMachine: emulator.machine,
  });
}

function startRv32({ emulator, chip }: Rv32VirtBoard, options: StartOptions): Promise<VirtualRv32> {
  return startVirtualRv32({
    ...options,
    flashAddress: chip.flash.origin,
    flashBytes: chip.flash.bytes,
    qemuBinary: emulator.program,
    qemuMachine: emulator.machine,
  });
}

function startEsp(board: EspBoard, options: StartOptions): Promise<VirtualBoard> {
  const { emulator, chip } = board;
  if (!emulator || !isVirtualEspChip(chip.family)) throw notVirtual(board);
  const processor = espProcessors[chip.family];
  const { family, flash } = chip;
  return startVirtualEsp({
    ...options,
    chip: family,
    flashBytes: flash.bytes,
    ...(processor && { processor }),
  });
}

function startVirtual(
  board: Board,
  options: StartOptions,
): Promise<VirtualBoard & Partial<Pick<VirtualRv32, 'load'>>> {
  if (isEsp(board)) return startEsp(board, options);
  return board.family === 'stm32' ? startStm32(board, options) : startRv32(board, options);
}

/** Starts the emulator of a virtual board; it ends with the command. */
export async function startVirtualBoard(
  context: Context,
  board: Board,
  choice: VirtualChoice = {},
): Promise<VirtualBoard & Partial<Pick<VirtualRv32, 'load'>>> {
  const options: StartOptions = {
    ...choice,
    signal: context.lifetime.signal,
    onNote: (text) => context.output.detail(`${board.id}: ${text}`),
  };
  const virtual = await startVirtual(board, options);
  context.lifetime.onEnd(() => virtual.close());
  return virtual;
}

/** The one port behind which a board of this kind is plugged in, by its USB ids. */
export async function findPort(board: Board): Promise<string> {
  const matches = (await listPorts(systemRoot())).filter((port) => showsIds(board, port));
  const paths = matches.map((port) => systemRoot() + port.path);
  if (paths.length > 1) throw severalBoardsFound(board.id, paths);
  if (paths[0] === undefined) throw noBoardFound(board.id, board.serial.reach);
  return paths[0];
}

/** A port that the chip itself offers vanishes when the chip is reset, and may come back under another name. */
const hasOwnUsb = (board: Board): boolean => isEsp(board) && board.serial.peripheral !== 'uart0';
/** Renaming takes a second or two; who pulled the plug is not kept waiting longer than that. */
const awayMs = 4_000;

/** Opens the board's port: the one given, the one found by USB ids, or that of a virtual board started here. */
export async function openBoard(
  context: Context,
  board: Board,
  port: string | undefined,
  choice: LinkChoice = {},
): Promise<BoardLink> {
  const { method, ...virtualChoice } = choice;
  const isFresh = port === undefined && board.emulator !== undefined;
  const virtual = isFresh ? await startVirtualBoard(context, board, virtualChoice) : undefined;
  const name = port ?? virtual?.ports[0] ?? (await findPort(board));
  const transport = await openTransport(name, {
    baud: board.serial.baud,
    signal: context.lifetime.signal,
    systemRoot: systemRoot(),
    ...(await followNativeUsb(name)),
    onWarning: (text) => context.output.warn(text),
    ...(hasOwnUsb(board) ? { follow: { followMs: awayMs } } : {}),
  });
  const withdraw = context.lifetime.onEnd(() => transport.close());
  return {
    board,
    transport,
    port,
    method,
    isFresh,
    ...(virtual?.load ? { load: virtual.load } : {}),
    async close() {
      withdraw();
      await transport.close();
      await virtual?.close();
    },
  };
}

/** Runs `work` with an open board and closes it after, also when the work fails. */
export async function withBoard<T>(
  context: Context,
  board: Board,
  port: string | undefined,
  work: (link: BoardLink) => Promise<T>,
  choice: LinkChoice = {},
): Promise<T> {
  const link = await openBoard(context, board, port, choice);
  try {
    return await work(link);
  } finally {
    await link.close();
  }
}
