import type { Board } from '../../boards/load.ts';
import type { FollowOptions } from '../../device/transport/following-transport.ts';
import { openTransport } from '../../device/transport/open-transport.ts';
import type { Transport } from '../../device/transport/transport.ts';
import type { Context } from '../context.ts';
import { chooseBoard } from './board-choice.ts';
import { releaseBoard } from './board-control.ts';
import { followNativeUsb, usbIdentityOf } from './native-usb.ts';
import { boardsBehind, systemRoot } from './usb-boards.ts';

export interface OpenPort {
  readonly transport: Transport;
  /** The board asked for, or the only one that the port's USB ids belong to. */
  readonly board: Board | undefined;
}

export interface PortChoice {
  readonly port: string;
  readonly board?: string | undefined;
  /** False for a board that is none of ours, whatever its adapter's ids say. */
  readonly guess?: boolean;
  readonly baud?: number | undefined;
  readonly follow?: FollowOptions;
}

/** The board that the USB ids of a port tell, if they tell only one. */
async function guessBoard(port: string): Promise<Board | undefined> {
  const ids = await usbIdentityOf(port);
  const boards = ids ? boardsBehind(ids) : [];
  return boards.length === 1 ? boards[0] : undefined;
}

/** Opens a port that may have any board behind it, or none that is known; it is closed when the command ends. */
export async function openPort(context: Context, choice: PortChoice): Promise<OpenPort> {
  const guess = () => (choice.guess === false ? undefined : guessBoard(choice.port));
  const board = choice.board === undefined ? await guess() : chooseBoard(choice.board);
  const transport = await openTransport(choice.port, {
    baud: choice.baud ?? board?.serial.baud ?? 115_200,
    signal: context.lifetime.signal,
    systemRoot: systemRoot(),
    onWarning: (text) => context.output.warn(text),
    ...(choice.follow ? { follow: choice.follow } : await followNativeUsb(choice.port)),
  });
  context.lifetime.onEnd(() => transport.close());
  await releaseBoard(context, board, transport);
  return { transport, board };
}
