import { chooseBoard } from '../board-choice.ts';
import { defineCommand } from '../command.ts';
import { boardOption, portOption } from '../options.ts';
import { formatCount } from '../report/format.ts';
import { withBoard } from '../session/board-link.ts';
import { flashBoard } from '../session/flash-board.ts';
import { firmwareOf } from '../session/folder-bench.ts';
import { readModelFolder } from '../session/model-folder.ts';

interface FlashOptions {
  readonly board: string;
  readonly port?: string;
}

export const command = defineCommand<FlashOptions>({
  usage: '<dir>',
  description:
    'Writes the firmware of a converted model to a board through its boot loader and reads all of it back. ' +
    'Sectors that hold the right bytes already are left alone, so a run that was cut short goes on where it stopped.',
  examples: ['tinyml flash out', 'tinyml flash out --board blackpill-f411ce --port /dev/ttyUSB0'],
  options: [boardOption, portOption],
  async run(context, [path = ''], options) {
    const board = chooseBoard(options.board);
    const { bin } = await firmwareOf(context, board, readModelFolder(path));
    const report = await withBoard(context, board, options.port, (link) =>
      context.output.step(`flash ${board.id}`, (progress) => flashBoard(context, link, bin, progress)),
    );
    context.output.result({ board: board.id, ...report }, () => {
      const kept = report.bytesKept > 0 ? `, ${formatCount(report.bytesKept)} were there already` : '';
      return `${board.id}: wrote ${formatCount(report.bytesWritten)} bytes${kept}; verified all ${formatCount(report.bytesVerified)}`;
    });
    return 0;
  },
});
