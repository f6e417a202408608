import { confirm } from '../ask.ts';
import { chooseBoard } from '../board/board-choice.ts';
import { eraseBoard, type FlashRange } from '../board/board-control.ts';
import { withBoard } from '../board/board-link.ts';
import { defineCommand } from '../command.ts';
import { badUsage } from '../errors.ts';
import { boardOption, parseAddress, parseBytes, portOption } from '../options.ts';
import { formatCount } from '../report/format.ts';

interface EraseOptions {
  readonly board: string;
  readonly port?: string;
  readonly address?: number;
  readonly bytes?: number;
  readonly yes?: boolean;
}

const hex = (value: number) => `0x${value.toString(16).padStart(8, '0')}`;

function rangeOf({ address, bytes }: EraseOptions): FlashRange | undefined {
  if (address === undefined && bytes === undefined) return undefined;
  if (address === undefined || bytes === undefined) {
    throw badUsage(
      'erase',
      '--address and --bytes belong together',
      'without both the whole flash is erased',
    );
  }
  return { address, bytes };
}

export const command = defineCommand<EraseOptions>({
  usage: '[port]',
  paths: ['none'],
  description: 'Erases the flash of a board, or whole sectors of it. Asks first, unless --yes is given.',
  examples: [
    'tinyml erase --board blackpill-f411ce --port /dev/ttyUSB0',
    'tinyml erase --port /dev/ttyUSB0 --board blackpill-f411ce --address 0x08020000 --bytes 128k --yes',
  ],
  options: [
    boardOption,
    portOption,
    { flags: '--address <address>', help: 'where to begin: 0x08020000', parse: parseAddress },
    { flags: '--bytes <n>', help: 'how much: 16384, 16k, 1M', parse: parseBytes },
    { flags: '-y, --yes', help: 'do not ask' },
  ],
  async run(context, [given], options) {
    const board = chooseBoard(options.board);
    const range = rangeOf(options);
    const port = given ?? options.port;
    const what = range ? `${formatCount(range.bytes)} bytes at ${hex(range.address)}` : 'the whole flash';
    const where = `${board.id}${port === undefined ? '' : ` on ${port}`}`;
    await confirm(context, options.yes === true, `erase ${what} of ${where}`);
    const report = await withBoard(context, board, port, (link) =>
      context.output.step(`erase ${board.id}`, (progress) =>
        eraseBoard({ board, transport: link.transport, context }, range, progress),
      ),
    );
    context.output.result({ board: board.id, ...report }, () => {
      const sectors = `${report.sectorsErased} ${report.sectorsErased === 1 ? 'sector' : 'sectors'}`;
      return `${board.id}: erased ${formatCount(report.bytesErased)} bytes at ${hex(report.address)} (${sectors})`;
    });
    return 0;
  },
});
