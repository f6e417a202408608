import { BenchClient } from '../../device/bench/bench-client.ts';
import { type FirmataOptions, startFirmata } from '../../device/firmata/firmata-stream.ts';
import type { SampleStream } from '../../device/sensor/sample-stream.ts';
import { chooseBoard } from '../board/board-choice.ts';
import { withBoard } from '../board/board-link.ts';
import { requirePort } from '../board/board-port.ts';
import { flashBoard } from '../board/flash-board.ts';
import { openPort } from '../board/open-port.ts';
import type { Context } from '../context.ts';
import { badUsage } from '../errors.ts';
import { buildRecorder } from '../firmware/firmware.ts';
import { recorderMissing } from './errors.ts';
import type { Source } from './source.ts';

export interface StreamOptions {
  readonly board: string;
  readonly port?: string;
  readonly baud?: number;
  readonly via: 'firmware' | 'firmata';
  readonly source: Source;
  readonly i2cSetup?: readonly (readonly [number, number])[];
  readonly rate: number;
  readonly flash?: boolean;
}

type Work<T> = (stream: SampleStream, board: string) => Promise<T>;

const firmataBaud = 57_600;
/** The recorder has no model, and says so with a hash of zeros. */
const noModel = '0'.repeat(16);

async function withFirmware<T>(
  context: Context,
  options: StreamOptions,
  samples: number,
  work: Work<T>,
): Promise<T> {
  const { source, rate } = options;
  if (source.kind === 'i2c') {
    throw badUsage('record', 'I2C sensors are read through Firmata only', 'add --via firmata');
  }
  const board = chooseBoard(options.board);
  return withBoard(context, board, options.port, async (link) => {
    if (options.flash === true || link.isFresh) {
      const { bin } = await context.output.step(`build the recorder for ${board.id}`, () =>
        buildRecorder(context, board),
      );
      await context.output.step(`flash ${board.id}`, (progress) => flashBoard(context, link, bin, progress));
    }
    const client = await BenchClient.connect(link.transport, {
      baud: options.baud ?? board.serial.baud,
      expected: { board: board.id },
      signal: context.lifetime.signal,
    });
    if (client.hello.modelHash !== noModel) throw recorderMissing(board.id);
    const request = { source: source.kind, channels: source.channels, rateHz: rate, samples };
    return work(await client.sample(request), board.id);
  });
}

function firmataOptions(context: Context, options: StreamOptions, samples: number): FirmataOptions {
  const { source, rate } = options;
  const common = {
    channels: source.channels,
    rateHz: rate,
    samples,
    signal: context.lifetime.signal,
    onText: (text: string) => context.output.warn(`the board says: ${text}`),
  };
  if (source.kind === 'adc') return common;
  if (source.kind === 'i2c') return { ...common, i2c: { ...source.sensor, setup: options.i2cSetup ?? [] } };
  throw badUsage('record', `Firmata has no source ${source.kind}`, 'use adc:0,1 or i2c:...');
}

async function withFirmata<T>(
  context: Context,
  options: StreamOptions,
  samples: number,
  work: Work<T>,
): Promise<T> {
  const sensor = firmataOptions(context, options, samples);
  const port = await requirePort('record', options.port, undefined);
  const { transport } = await openPort(context, { port, baud: options.baud ?? firmataBaud, guess: false });
  try {
    const stream = await context.output.step('look for Firmata', () => startFirmata(transport, sensor));
    return await work(stream, 'firmata');
  } finally {
    await transport.close();
  }
}

/** Runs `work` with samples that come from a board, which is let go of at the end, however it comes. */
export function withStream<T>(
  context: Context,
  options: StreamOptions,
  samples: number,
  work: Work<T>,
): Promise<T> {
  const using = options.via === 'firmata' ? withFirmata : withFirmware;
  return using(context, options, samples, async (stream, board) => {
    try {
      return await work(stream, board);
    } finally {
      await stream.stop().catch(() => {});
    }
  });
}
