import { chooseBoard } from '../board/board-choice.ts';
import { flashOnly } from '../board/flash-board.ts';
import { defineCommand } from '../command.ts';
import { firmwareOf } from '../measure/folder-bench.ts';
import { readModelFolder } from '../model/model-folder.ts';
import { boardOption, methodOption, portOption } from '../options.ts';
import { formatCount } from '../report/format.ts';

interface FlashOptions {
  readonly board: string;
  readonly port?: string;
  readonly method?: string;
}

export const command = defineCommand<FlashOptions>({
  usage: '<dir>',
  paths: ['input'],
  description:
    'Writes the firmware of a converted model to a board: through its serial boot loader, USB (DFU), an ST-LINK or the drive ' +
    'that one shows, whatever the board has and is plugged in, and reads all of it back where that can be done. ' +
    'Sectors that hold the right bytes already are left alone, so a run that was cut short goes on where it stopped.',
  examples: [
    'tinyml flash out',
    'tinyml flash out --board blackpill-f411ce --port /dev/ttyUSB0',
    'tinyml flash out --board nucleo-f446re --method st-link',
  ],
  options: [boardOption, portOption, methodOption],
  async run(context, [path = ''], options) {
    const board = chooseBoard(options.board);
    const { bin } = await firmwareOf(context, board, readModelFolder(path));
    const report = await context.output.step(`flash ${board.id}`, (progress) =>
      flashOnly(context, board, options.port, bin, progress, { method: options.method }),
    );
    context.output.result({ board: board.id, ...report }, () => {
      const kept = report.bytesKept > 0 ? `, ${formatCount(report.bytesKept)} were there already` : '';
      const proof =
        report.bytesVerified > 0
          ? `verified all ${formatCount(report.bytesVerified)}`
          : 'this way cannot read it back: tinyml verify does';
      return `${board.id}: wrote ${formatCount(report.bytesWritten)} bytes${kept}; ${proof}`;
    });
    return 0;
  },
});
