import { defineCommand } from '../command.ts';
import { badUsage } from '../errors.ts';
import { boardOption, portOption } from '../options.ts';

interface WorkerOptions {
  readonly child?: boolean;
  readonly queue?: string;
  readonly board: string;
  readonly port?: string;
}

export const command = defineCommand<WorkerOptions>({
  usage: '',
  description:
    'Does trials of tinyml search for other machines: takes them from a queue and measures them on a board of its own.',
  examples: ['tinyml worker --queue redis://build-server:6379 --board nucleo-f446re --port /dev/ttyUSB0'],
  options: [
    {
      flags: '--queue <url>',
      help: 'the Redis server that tinyml search --queue puts trials to',
      setting: 'queue',
    },
    boardOption,
    portOption,
    { flags: '--child', help: 'serve the process that started this one (tinyml search does this itself)' },
  ],
  async run(context, _, options) {
    if (options.child === true) {
      if (!process.send) throw badUsage('worker', '--child is for tinyml search itself');
      const { serveTrials } = await import('../search/serve-trials.ts');
      await serveTrials(context);
      return 0;
    }
    throw badUsage('worker', '--queue is missing');
  },
});
