import { resetBoard } from '../board/board-control.ts';
import { requirePort } from '../board/board-port.ts';
import { openPort } from '../board/open-port.ts';
import { defineCommand } from '../command.ts';
import { baudOption, knownBoardOption, portOption } from '../options.ts';

interface ResetOptions {
  readonly board?: string;
  readonly port?: string;
  readonly baud?: number;
}

export const command = defineCommand<ResetOptions>({
  usage: '[port]',
  paths: ['none'],
  description:
    'Restarts the program of a board: through the reset lines of its port, wired as its board file says (or as usual, ' +
    'for a board that is not known), or through its boot loader where there are none.',
  examples: ['tinyml reset /dev/ttyUSB0', 'tinyml reset --board blackpill-f411ce'],
  options: [knownBoardOption, portOption, baudOption],
  async run(context, [given], options) {
    const port = await requirePort('reset', given ?? options.port, options.board);
    const { transport, board } = await openPort(context, { ...options, port });
    await resetBoard(context, board, transport);
    await transport.close();
    context.output.result(
      { port: transport.name, board: board?.id ?? null, reset: transport.hasSignals },
      () => `${transport.name}: restarted${board ? ` (${board.id})` : ''}`,
    );
    return 0;
  },
});
