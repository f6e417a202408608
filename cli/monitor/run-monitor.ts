import type { Board } from '../../boards/load.ts';
import type { Transport } from '../../device/transport/transport.ts';
import { resetBoard } from '../board/board-control.ts';
import type { Context } from '../context.ts';
import { readerIsGone } from '../standard-streams.ts';
import type { MonitorDecoder } from './decoder.ts';
import { type KeyAction, Keys, keyHelp } from './keys.ts';
import type { Printer } from './printer.ts';

export interface Monitored {
  readonly transport: Transport;
  readonly board: Board | undefined;
  readonly printer: Printer;
  readonly decoder: MonitorDecoder;
  /** Sent for the Enter key. */
  readonly enter: Uint8Array;
  /** Ends by itself after so many milliseconds. */
  readonly limitMs: number | undefined;
  readonly toggleTimestamps: () => void;
}

const readMs = 200;

async function restart(context: Context, { transport, board, printer }: Monitored): Promise<void> {
  await printer.happened({ event: 'reset', lines: ['restart'] });
  await resetBoard(context, board, transport);
}

async function act(
  context: Context,
  monitored: Monitored,
  action: Exclude<KeyAction, 'leave'>,
  signal: AbortSignal,
): Promise<void> {
  if (action === 'reset') await restart(context, monitored);
  else if (action === 'timestamps') monitored.toggleTimestamps();
  else if (action === 'help') await monitored.printer.happened({ event: 'help', lines: keyHelp });
  else await monitored.transport.write(action.send, signal);
}

/** Hands what is typed, or piped in, to the board. Returns how to give the terminal back. */
function listen(context: Context, monitored: Monitored, leave: AbortController): () => void {
  const { stdin } = process;
  const isTerminal = stdin.isTTY === true;
  const keys = new Keys(monitored.enter);
  let turn: Promise<void> = Promise.resolve();
  const onData = (bytes: Uint8Array) => {
    const actions: KeyAction[] = isTerminal ? keys.take(bytes) : [{ send: bytes }];
    for (const action of actions) {
      if (action === 'leave') leave.abort();
      // One after the other, and a failure ends the monitor as one of reading does.
      else
        turn = turn
          .then(() => act(context, monitored, action, leave.signal))
          .catch((error) => leave.abort(error));
    }
  };
  if (isTerminal) stdin.setRawMode(true);
  stdin.on('error', () => {});
  stdin.on('data', onData);
  return () => {
    stdin.off('data', onData);
    stdin.pause();
    if (isTerminal) stdin.setRawMode(false);
  };
}

/** Shows what a board says and sends it what is typed, until the user leaves or the time is over. */
export async function runMonitor(context: Context, monitored: Monitored, reset: boolean): Promise<void> {
  const { transport, decoder, limitMs } = monitored;
  const leave = new AbortController();
  const signal = AbortSignal.any([context.lifetime.signal, leave.signal]);
  const stopListening = listen(context, monitored, leave);
  context.lifetime.onEnd(stopListening);
  const timer = limitMs === undefined ? undefined : setTimeout(() => leave.abort(), limitMs);
  try {
    if (reset) await restart(context, monitored);
    while (!signal.aborted && !readerIsGone('stdout')) {
      const bytes = await transport.read(readMs, signal);
      if (bytes.length > 0) await decoder.take(bytes);
      else await decoder.pause();
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
    stopListening();
    await decoder.end();
  }
  const { reason } = leave.signal;
  if (reason instanceof Error && reason.name !== 'AbortError') throw reason;
}
