import { requirePort } from '../board/board-port.ts';
import { openPort } from '../board/open-port.ts';
import { defineCommand } from '../command.ts';
import { MonitorDecoder } from '../monitor/decoder.ts';
import { makePrinter, type Printer } from '../monitor/printer.ts';
import { runMonitor } from '../monitor/run-monitor.ts';
import { openSymbols } from '../monitor/symbols.ts';
import { baudOption, countUpTo, knownBoardOption, portOption } from '../options.ts';
import { makeStyle, wantsColor } from '../report/style.ts';

interface MonitorOptions {
  readonly board?: string;
  readonly port?: string;
  readonly baud?: number;
  readonly elf?: string;
  readonly log?: string;
  readonly timestamps?: boolean;
  readonly raw?: boolean;
  readonly reset?: boolean;
  readonly reconnect?: boolean;
  readonly seconds?: number;
  readonly newline: keyof typeof newlines;
}

const newlines = { cr: [13], lf: [10], crlf: [13, 10] } as const;

/** Says when the device goes and comes back. */
function following(printer: Printer) {
  return {
    followMs: Number.POSITIVE_INFINITY,
    onLost: (port: string) =>
      void printer.happened({ event: 'lost', lines: [`${port} is gone; waiting for it`], facts: { port } }),
    onReturn: (port: string) =>
      void printer.happened({ event: 'back', lines: [`back as ${port}`], facts: { port } }),
  };
}

export const command = defineCommand<MonitorOptions>({
  usage: '[port]',
  paths: ['none'],
  description:
    'Shows what a board prints and sends it what is typed; Ctrl-] leaves, Ctrl-T Ctrl-H lists the keys. A device that ' +
    'vanishes is waited for, also under another name. With --elf the addresses of crash dumps become function names; ' +
    '--json makes each line a record.',
  examples: [
    'tinyml monitor /dev/ttyACM0 --timestamps --log board.log',
    'tinyml monitor 303a:1001 --elf out/firmware/esp32-c3-devkitm-1/firmware.elf --reset',
    'tinyml monitor tcp://localhost:5000 --baud 9600 --json',
  ],
  options: [
    knownBoardOption,
    portOption,
    baudOption,
    { flags: '--elf <file>', help: 'the program that runs, to name functions in crash dumps', path: 'input' },
    { flags: '--log <file>', help: 'append everything to this file as well', path: 'grows' },
    { flags: '--timestamps', help: 'the time at the start of each line' },
    { flags: '--raw', help: 'the bytes as they come, and nothing added' },
    { flags: '--reset', help: 'restart the board first' },
    { flags: '--no-reconnect', help: 'end when the device vanishes' },
    { flags: '--seconds <n>', help: 'leave after this time', parse: countUpTo(100_000_000) },
    { flags: '--newline <kind>', help: 'what Enter sends', choices: ['cr', 'lf', 'crlf'], fallback: 'cr' },
  ],
  async run(context, [given], options) {
    const { json, quiet, noColor } = context.output.flags;
    const raw = options.raw === true;
    let timestamps = options.timestamps === true && !raw;
    const nameAddresses = options.elf === undefined ? undefined : openSymbols(context, options.elf);
    const port = await requirePort('monitor', given ?? options.port, options.board);
    const style = makeStyle(wantsColor(process.stderr, noColor));
    const printer = makePrinter({ json, quiet, timestamps: () => timestamps, log: options.log, style });
    context.lifetime.onEnd(() => printer.close());
    const follow = options.reconnect === false ? {} : { follow: following(printer) };
    const { transport, board } = await openPort(context, { ...options, port, ...follow });
    context.output.note(
      `${transport.name}${board ? ` (${board.id})` : ''}; ${process.stdin.isTTY ? 'Ctrl-] leaves, Ctrl-T Ctrl-H lists the keys' : 'Ctrl-C ends'}`,
    );
    const monitored = {
      transport,
      board,
      printer,
      decoder: new MonitorDecoder(printer, nameAddresses, raw),
      enter: Uint8Array.from(newlines[options.newline]),
      limitMs: options.seconds === undefined ? undefined : options.seconds * 1000,
      toggleTimestamps: () => {
        timestamps = !timestamps;
      },
    };
    await runMonitor(context, monitored, options.reset === true);
    await transport.close();
    return 0;
  },
});
