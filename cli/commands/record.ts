import { WindowCutter } from '../../converter/data/windows.ts';
import type { SampleStream } from '../../device/sensor/sample-stream.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { badUsage, badValue } from '../errors.ts';
import { baudOption, boardOption, countUpTo, portOption } from '../options.ts';
import { type StreamOptions, withStream } from '../record/open-stream.ts';
import { parseRegister, parseSource, sourceForms } from '../record/source.ts';
import { openTarget, parseLabel, type Target, type TargetOptions } from '../record/target.ts';
import { formatCount } from '../report/format.ts';

interface RecordOptions extends StreamOptions, TargetOptions {
  readonly seconds?: number;
  readonly samples?: number;
  readonly hop?: number;
  readonly scale: number;
}

const valueLimit = 16_777_216;

function parseScale(text: string, name: string): number {
  const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?$/i.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(value) || value === 0) throw badValue(name, text, 'a number such as 0.000805');
  return value;
}

function samplesOf({ samples, seconds, rate, source }: RecordOptions): number {
  if ((samples === undefined) === (seconds === undefined)) {
    throw badUsage('record', 'how long? Give --seconds or --samples, one of them');
  }
  const count = samples ?? seconds! * rate;
  if (count * source.channels.length > valueLimit) {
    throw badUsage(
      'record',
      `${count} samples are too many at once`,
      `at most ${valueLimit} values; record in parts`,
    );
  }
  return count;
}

/** Takes all samples and adds the windows cut from them to `windows` as they come. */
async function collect(
  stream: SampleStream,
  { form }: Target,
  { hop, scale }: RecordOptions,
  windows: number[][],
  progress: (received: number, dropped: number) => void,
): Promise<void> {
  const cutter = new WindowCutter(form, stream.channels, hop ?? form.length);
  for (let run = await stream.next(); run; run = await stream.next()) {
    for (const window of cutter.take(run.first, run.values)) {
      windows.push(scale === 1 ? window : window.map((value) => value * scale));
    }
    const { due, received } = stream.count;
    progress(received, due - received);
  }
}

/** As `collect`, with progress; what came before a failure or Ctrl-C is kept in the file. */
async function collectAndKeep(
  context: Context,
  stream: SampleStream,
  target: Target,
  options: RecordOptions,
  total: number,
): Promise<number[][]> {
  const windows: number[][] = [];
  try {
    await context.output.step(`record ${options.label ?? 'samples'}`, (progress) =>
      collect(stream, target, options, windows, (received, dropped) =>
        progress(`${received} of ${total}${dropped > 0 ? `, ${dropped} dropped` : ''}`),
      ),
    );
    return windows;
  } catch (error) {
    if (windows.length > 0) {
      target.save(context, windows);
      context.output.warn(
        `ended early; what came before it was kept: ${windows.length} of [${target.form.shape.join(', ')}]`,
      );
    }
    throw error;
  }
}

async function record(context: Context, path: string, options: RecordOptions) {
  const samples = samplesOf(options);
  const target = openTarget(context, path, options, options.source.channels.length);
  return withStream(context, options, samples, async (stream, board) => {
    const windows = await collectAndKeep(context, stream, target, options, samples);
    const { due, received, droppedOnBoard } = stream.count;
    const { total, classes } = target.save(context, windows);
    return {
      file: path,
      board,
      source: options.source.kind,
      channels: [...options.source.channels],
      rateHz: stream.rateHz,
      samples: received,
      dropped: { total: due - received, onBoard: droppedOnBoard },
      label: options.label ?? null,
      windows: windows.length,
      shape: [...target.form.shape],
      total,
      classes,
    };
  });
}

export const command = defineCommand<RecordOptions>({
  usage: '<file>',
  paths: ['grows'],
  description:
    'Records samples of a sensor at a steady rate into a data set (.npz or .csv), which grows with each recording. ' +
    'Boards that tinyml builds for take the samples with firmware of ours (--flash writes it), Arduino-class boards ' +
    'through StandardFirmata (--via firmata). Dropped samples are counted, and no window is cut across one.',
  examples: [
    'tinyml record set.npz --label walking --board nucleo-f446re --flash --source adc:0,1,4 --rate 100 --seconds 30 --model model.onnx',
    'tinyml record set.csv --label idle --via firmata --port /dev/ttyACM0 --source adc:0 --rate 50 --samples 500',
    'tinyml record set.npz --label shake --via firmata -p /dev/ttyUSB0 --source i2c:0x68:0x3b:int16be:3 --i2c-setup 0x6b=0 --seconds 10 --window 128',
  ],
  options: [
    boardOption,
    portOption,
    baudOption,
    {
      flags: '--via <way>',
      help: 'who takes the samples on the board',
      choices: ['firmware', 'firmata'],
      fallback: 'firmware',
    },
    {
      flags: '--source <source>',
      help: `what is sampled: ${sourceForms}`,
      parse: parseSource,
      required: true,
    },
    {
      flags: '--i2c-setup <register=value>',
      help: 'written to the I2C sensor first, to wake or set it up (may be repeated)',
      parse: parseRegister,
      repeat: true,
    },
    { flags: '--rate <hz>', help: 'samples a second', parse: countUpTo(1_000_000), fallback: 100 },
    { flags: '--seconds <n>', help: 'how long', parse: countUpTo(86_400) },
    { flags: '--samples <n>', help: 'how many, instead', parse: countUpTo(valueLimit) },
    { flags: '--label <name>', help: 'the class of what is recorded', parse: parseLabel },
    { flags: '--window <n>', help: 'cut windows of so many samples', parse: countUpTo(1_000_000) },
    {
      flags: '--model <model>',
      help: "cut windows in the shape of this model's input, instead",
      path: 'input',
    },
    {
      flags: '--hop <n>',
      help: 'from one window to the next; without it a window',
      parse: countUpTo(1_000_000),
    },
    { flags: '--scale <factor>', help: 'multiply each value', parse: parseScale, fallback: 1 },
    { flags: '--overwrite', help: 'begin the file anew' },
    { flags: '--flash', help: 'write the recording firmware to the board first' },
  ],
  async run(context, [path = ''], options) {
    const report = await record(context, path, options);
    const { dropped, samples, rateHz, windows, total } = report;
    if (dropped.total > 0)
      context.output.warn(`${dropped.total} of ${samples + dropped.total} samples were dropped`);
    context.output.result(report, () => {
      const classes = Object.entries(report.classes).map(([name, count]) => `${name} ${formatCount(count)}`);
      const counted = `${formatCount(samples)} samples at ${rateHz.toFixed(2)} Hz, ${formatCount(dropped.total)} dropped`;
      const held = `${path}: added ${formatCount(windows)} of [${report.shape.join(', ')}], holds ${formatCount(total)}`;
      return `${counted}\n${held}${classes.length > 0 ? ` (${classes.join(', ')})` : ''}`;
    });
    return 0;
  },
});
