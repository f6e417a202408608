import { openTransport } from '../../device/transport/open-transport.ts';
import { defineCommand } from '../command.ts';
import { countUpTo } from '../options.ts';

interface MonitorOptions {
  readonly baud: number;
}

const readMs = 200;

export const command = defineCommand<MonitorOptions>({
  usage: '<port>',
  description: 'Shows what a board prints until Ctrl-C.',
  examples: ['tinyml monitor /dev/ttyACM0', 'tinyml monitor tcp://localhost:5000 --baud 9600'],
  options: [
    { flags: '-b, --baud <n>', help: 'bits a second', parse: countUpTo(12_000_000), fallback: 115_200 },
  ],
  async run(context, [port = ''], options) {
    const { signal } = context.lifetime;
    const transport = await openTransport(port, {
      baud: options.baud,
      signal,
      onWarning: (text) => context.output.warn(text),
    });
    context.lifetime.onEnd(() => transport.close());
    context.output.note(`${port} at ${options.baud} baud; Ctrl-C ends`);
    while (!signal.aborted) process.stdout.write(await transport.read(readMs, signal));
    return 0;
  },
});
