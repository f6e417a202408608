import { type Board, isEsp } from '../../boards/load.ts';
import { TinymlError } from '../../common/tinyml-error.ts';
import { listPorts } from '../../device/transport/list-ports.ts';
import { openTransport } from '../../device/transport/open-transport.ts';
import type { Transport } from '../../device/transport/transport.ts';
import type { Context } from '../context.ts';
import { emulatorStopped, noBoardFound, severalBoardsFound } from './errors.ts';
import { followNativeUsb } from './native-usb.ts';
import { showsIds, systemRoot } from './usb-boards.ts';
import { startVirtualBoard, type VirtualChoice } from './virtual-board.ts';

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
  /** Why a board that was started here runs nothing, if so. */
  readonly lastNote?: () => string | undefined;
  close(): Promise<void>;
}

/** What a command says of the link that it wants. */
export interface LinkChoice extends VirtualChoice {
  readonly method?: string | undefined;
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
    ...(virtual ? { lastNote: () => virtual.lastNote() } : {}),
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
  } catch (error) {
    throw explained(link, error);
  } finally {
    await link.close();
  }
}

/** What may be said of a board that does not answer, or not as it should. */
const silent = new Set([
  'E_BOARD_SILENT',
  'E_BOARD_TIMEOUT',
  'E_WRONG_FIRMWARE',
  'E_DEVICE_LOST',
  'E_FLASH_LINK',
]);

/** An emulator that ended says why better than whoever waited for its board can guess. */
function explained({ board, lastNote }: BoardLink, error: unknown): unknown {
  const note = lastNote?.();
  const isSilence = error instanceof TinymlError && silent.has(error.code);
  return isSilence && note !== undefined ? emulatorStopped(board.id, note, error.message) : error;
}
