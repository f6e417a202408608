import { chooseBoard } from '../board/board-choice.ts';
import { defineCommand } from '../command.ts';
import { badUsage, missingOption } from '../errors.ts';
import { boardOption, countUpTo, portOption } from '../options.ts';

interface WorkerOptions {
  readonly child?: boolean;
  readonly queue?: string;
  readonly board: string;
  readonly port?: string;
  readonly jobs: number;
}

export const command = defineCommand<WorkerOptions>({
  usage: '',
  paths: [],
  description:
    'Does trials of tinyml search for other machines: takes them from a queue and measures them on a board of its own.',
  examples: ['tinyml worker --queue redis://build-server:6379 --board nucleo-f446re --port /dev/ttyUSB0'],
  options: [
    {
      flags: '--queue <url>',
      help: 'the Redis server that tinyml search --queue puts trials to',
      path: 'none',
      setting: 'queue',
    },
    boardOption,
    portOption,
    {
      flags: '-j, --jobs <n>',
      help: 'trials at a time, on an emulated board',
      parse: countUpTo(256),
      fallback: 1,
      setting: 'jobs',
    },
    { flags: '--child', help: 'serve the process that started this one (tinyml search does this itself)' },
  ],
  async run(context, _, options) {
    if (options.child === true) {
      if (!process.send) throw badUsage('worker', '--child is for tinyml search itself');
      const { serveTrials } = await import('../search/serve-trials.ts');
      await serveTrials(context);
      return 0;
    }
    if (options.queue === undefined) throw missingOption('worker', '--queue <url>');
    const board = chooseBoard(options.board);
    const { serveQueue } = await import('../search/queue/serve-queue.ts');
    await serveQueue(context, {
      url: options.queue,
      board: options.board,
      boardId: board.id,
      port: options.port ?? null,
      jobs: board.emulator ? options.jobs : 1,
    });
    return 0;
  },
});
