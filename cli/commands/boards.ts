import { type Board, coreHz, dataRam, listBoards } from '../../boards/load.ts';
import { chooseBoard } from '../board/board-choice.ts';
import { startVirtualBoard } from '../board/virtual-board.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { badBoardsAction, badUsage } from '../errors.ts';
import { countUpTo } from '../options.ts';
import { jsonLine } from '../output.ts';
import { formatBytes } from '../report/format.ts';
import { renderPairs, renderTable } from '../report/table.ts';
import { printLine } from '../standard-streams.ts';

interface BoardsOptions {
  readonly pty?: boolean;
  readonly boot: 'flash' | 'bootloader';
  readonly listen?: number;
  readonly flashFile?: string;
}

function list(context: Context): void {
  const boards = listBoards();
  context.output.result({ boards }, () =>
    renderTable(
      [
        { title: 'id' },
        { title: 'name' },
        { title: 'chip' },
        { title: 'flash', align: 'right' },
        { title: 'RAM', align: 'right' },
        { title: 'MHz', align: 'right' },
      ],
      boards.map((board) => [
        board.id,
        board.name,
        board.chip.name,
        formatBytes(board.chip.flash.bytes),
        formatBytes(dataRam(board.chip).bytes),
        String(coreHz(board) / 1e6),
      ]),
    ),
  );
}

function show(context: Context, board: Board): void {
  context.output.result(board, () =>
    renderPairs([
      ['id', board.id],
      ['name', `${board.name}, ${board.vendor}`],
      ['chip', `${board.chip.name} at ${coreHz(board) / 1e6} MHz`],
      ['flash', formatBytes(board.chip.flash.bytes)],
      ['RAM', formatBytes(dataRam(board.chip).bytes)],
      ['serial', `${board.serial.peripheral} at ${board.serial.baud} baud: ${board.serial.reach}`],
      ...board.flash.map(({ method, how }) => ['flashing', `${method}: ${how}`] as const),
      ['page', board.page],
    ]),
  );
}

/** Starts a virtual board and keeps it until the command is interrupted. */
async function serve(context: Context, board: Board, options: BoardsOptions): Promise<void> {
  const { lifetime, output } = context;
  const { pty, boot, listen, flashFile } = options;
  const virtual = await startVirtualBoard(context, board, {
    boot,
    onNote: (text) => output.note(`${board.id}: ${text}`),
    ...(pty === undefined ? {} : { pty }),
    ...(listen === undefined ? {} : { port: listen }),
    ...(flashFile === undefined ? {} : { flashFile }),
  });
  const document = { board: board.id, ports: virtual.ports };
  // Scripts read the first line while the board runs on.
  printLine(
    'stdout',
    output.flags.json ? jsonLine(document) : `${board.id} is at\n  ${virtual.ports.join('\n  ')}`,
  );
  output.note('Ctrl-C stops it');
  await new Promise<void>((resolve) =>
    lifetime.signal.addEventListener('abort', () => resolve(), { once: true }),
  );
}

export const command = defineCommand<BoardsOptions>({
  usage: '[action] [id]',
  paths: ['none', 'none'],
  description: 'Lists boards (list), shows one (show ID), or runs a virtual one by itself (run ID).',
  examples: [
    'tinyml boards',
    'tinyml boards show nucleo-f446re',
    'tinyml boards run virtual-stm32f405 --pty',
  ],
  options: [
    { flags: '--pty', help: 'run: offer a pseudo terminal as well (it has no reset lines)' },
    {
      flags: '--boot <place>',
      help: 'run: what the board starts with',
      choices: ['flash', 'bootloader'],
      fallback: 'flash',
    },
    {
      flags: '--listen <port>',
      help: 'run: the TCP port to listen at (default: any free one)',
      parse: countUpTo(65_535),
    },
    { flags: '--flash-file <file>', help: 'run: keep the flash in this file between runs', path: 'grows' },
  ],
  async run(context, [action = 'list', id], options) {
    if (action === 'list') list(context);
    else if (action !== 'show' && action !== 'run') throw badBoardsAction(action);
    else if (id === undefined) throw badUsage('boards', `${action} needs the id of a board`);
    else if (action === 'show') show(context, chooseBoard(id));
    else await serve(context, chooseBoard(id), options);
    return 0;
  },
});
