import { chooseBoard } from '../board/board-choice.ts';
import { withBoard } from '../board/board-link.ts';
import { flashBoard } from '../board/flash-board.ts';
import { defineCommand } from '../command.ts';
import { connectBench } from '../measure/bench-subject.ts';
import { firmwareOf, subjectOf } from '../measure/folder-bench.ts';
import { verifyBoard } from '../measure/verify-board.ts';
import { readModelFolder } from '../model/model-folder.ts';
import { boardOption, countUpTo, portOption } from '../options.ts';
import { renderVerdict } from '../report/verdict.ts';

interface VerifyOptions {
  readonly board: string;
  readonly port?: string;
  readonly vectors: number;
  readonly layers?: boolean;
}

export const command = defineCommand<VerifyOptions>({
  usage: '<dir>',
  paths: ['input'],
  description:
    'Runs the same inputs on this machine and on the board and compares every output byte, and for the first input ' +
    'every layer. A virtual board is started, flashed and stopped by itself; a real one must hold the firmware.',
  examples: [
    'tinyml verify out',
    'tinyml verify out --layers --vectors 32',
    'tinyml verify out --port /dev/ttyACM0',
  ],
  options: [
    boardOption,
    portOption,
    { flags: '--vectors <n>', help: 'inputs to compare', parse: countUpTo(10_000), fallback: 8 },
    { flags: '--layers', help: 'compare every layer for every input, not only the first' },
  ],
  async run(context, [path = ''], options) {
    const board = chooseBoard(options.board);
    const folder = readModelFolder(path);
    const subject = subjectOf(folder);
    const report = await withBoard(context, board, options.port, async (link) => {
      if (link.isFresh) {
        const { bin } = await firmwareOf(context, board, folder);
        await context.output.step(`flash ${board.id}`, (progress) =>
          flashBoard(context, link, bin, progress),
        );
      }
      const client = await connectBench(context, link, subject);
      const choice = { vectors: options.vectors, allLayers: options.layers === true };
      return context.output.step('verify', (progress) =>
        verifyBoard(context, client, subject, choice, progress),
      );
    });
    context.output.result(report, () => renderVerdict(report, context.output.style));
    return report.bitExact ? 0 : 3;
  },
});
