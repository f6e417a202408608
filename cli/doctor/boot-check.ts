import { TinymlError } from '../../common/tinyml-error.ts';
import { explainBootLog } from '../../device/console/esp-boot-log.ts';
import { resetBoard } from '../board/board-control.ts';
import { openPort } from '../board/open-port.ts';
import type { Context } from '../context.ts';
import { readInputFile } from '../files/input-file.ts';
import { type Check, fine, trouble } from './check.ts';

const logLimit = 67_108_864;
const listenMs = 3_000;
const keptBytes = 65_536;
const name = 'boot';

const hex = (value: number) => `0x${value.toString(16)}`;

/** What a boot log says about the start of an ESP chip. */
export function checkBootLog(log: string): Check {
  const boot = explainBootLog(log);
  if (!boot) return fine(name, 'no boot log of an ESP chip');
  const found = `boot:${hex(boot.strapping)} (${boot.name})${boot.reset ? `, reset by ${boot.reset}` : ''}`;
  const [problem] = boot.problems;
  return problem ? trouble(name, `${found}: ${problem.what}`, problem.measure, true) : fine(name, found);
}

export function checkBootLogFile(path: string): Check {
  const { bytes } = readInputFile(path, { expected: 'a boot log', limit: logLimit });
  return checkBootLog(new TextDecoder('latin1').decode(bytes));
}

/** The end of what a board says in a few seconds after its reset. */
async function listen(context: Context, port: string, board: string | undefined): Promise<string> {
  const open = await openPort(context, { port, board });
  const { clock } = open.transport;
  let said = Buffer.alloc(0);
  try {
    await resetBoard(context, open.board, open.transport);
    const until = clock.now() + listenMs;
    while (clock.now() < until) {
      const bytes = await open.transport.read(until - clock.now(), context.lifetime.signal);
      said = Buffer.concat([said, bytes]).subarray(-keptBytes);
    }
  } finally {
    await open.transport.close();
  }
  return said.toString('latin1');
}

/** Opens a port, restarts the board behind it and reads its boot log. */
export async function checkPort(context: Context, port: string, board: string | undefined): Promise<Check[]> {
  try {
    const log = await context.output.step(`restart the board on ${port}`, () => listen(context, port, board));
    const heard =
      log === ''
        ? trouble(port, 'opens, but the board says nothing', 'check the baud rate and press reset')
        : fine(port, `opens; ${log.length} bytes heard`);
    return [heard, checkBootLog(log)];
  } catch (error) {
    context.lifetime.signal.throwIfAborted();
    if (!(error instanceof TinymlError)) throw error;
    return [trouble(port, error.message, error.hint ?? '', true)];
  }
}
