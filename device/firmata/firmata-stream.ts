import { boardStuck, excerpt, firmataChannelMissing, firmataRateRefused, firmataSilent } from '../errors.ts';
import type { SampleCount, SampleRequest, SampleRun, SampleStream } from '../sensor/sample-stream.ts';
import type { Transport } from '../transport/transport.ts';
import {
  configureI2c,
  FirmataDecoder,
  type FirmataMessage,
  fromPairs,
  queryAnalogMapping,
  queryVersion,
  readI2cContinuously,
  reportAnalog,
  SYSEX,
  setSamplingInterval,
  stopI2c,
  writeI2c,
} from './protocol.ts';

export type I2cType = 'uint8' | 'int8' | 'int16be' | 'int16le' | 'uint16be' | 'uint16le';

/** A device on the board's I2C bus: where its values are, and what has to be written first to wake it. */
export interface I2cSensor {
  readonly address: number;
  readonly register: number;
  readonly type: I2cType;
  readonly setup: readonly (readonly [register: number, value: number])[];
}

export interface FirmataOptions extends SampleRequest {
  /** Absent for the board's analog inputs. */
  readonly i2c?: I2cSensor;
  readonly signal?: AbortSignal | undefined;
  /** Told what the board complains about. */
  readonly onText?: (text: string) => void;
}

/** An Arduino restarts when its port is opened, and its boot loader waits for a sketch first. */
const CONNECT_MS = 10_000;
const ASK_MS = 500;
const ANSWER_MS = 2_000;
const SILENCE_MS = 5_000;
const SILENT_PERIODS = 4;
const LONGEST_INTERVAL_MS = 16_383;
const NO_CHANNEL = 127;
const ANALOG_CHANNELS = 16;

const I2C_BYTES: Readonly<Record<I2cType, number>> = {
  uint8: 1,
  int8: 1,
  int16be: 2,
  int16le: 2,
  uint16be: 2,
  uint16le: 2,
};

/** Values of a sensor from the bytes of its registers. */
function valuesOf(bytes: Uint8Array, type: I2cType): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = type.endsWith('le');
  return Array.from({ length: Math.floor(bytes.length / I2C_BYTES[type]) }, (_, i) => {
    const at = i * I2C_BYTES[type];
    if (type === 'uint8') return view.getUint8(at);
    if (type === 'int8') return view.getInt8(at);
    return type.startsWith('u') ? view.getUint16(at, little) : view.getInt16(at, little);
  });
}

/** Sensors of a board that runs StandardFirmata, whose interval of sampling is whole milliseconds. */
class FirmataStream implements SampleStream {
  readonly rateHz: number;
  readonly channels: number;
  private readonly transport: Transport;
  private readonly options: FirmataOptions;
  private readonly decoder = new FirmataDecoder();
  private heard: Uint8Array = new Uint8Array(0);
  private received = 0;
  private broken = 0;
  private row = new Map<number, number>();
  private ready: number[][] = [];
  private firstAt: number | undefined;
  private lastAt = 0;

  constructor(transport: Transport, options: FirmataOptions, intervalMs: number) {
    this.transport = transport;
    this.options = options;
    this.rateHz = 1000 / intervalMs;
    this.channels = options.channels.length;
  }

  /** Firmata numbers no samples: how many were due is told from the time that passed. */
  get count(): SampleCount {
    const { firstAt, lastAt, received, broken } = this;
    const byTime = firstAt === undefined ? 0 : Math.round(((lastAt - firstAt) / 1000) * this.rateHz) + 1;
    return { due: Math.max(byTime, received + broken), received, droppedOnBoard: null };
  }

  async connect(): Promise<void> {
    await this.request(queryVersion(), 'version', CONNECT_MS, () =>
      firmataSilent(this.transport.name, this.heard.length === 0 ? undefined : excerpt(this.heard)),
    );
  }

  async start(intervalMs: number): Promise<void> {
    const { channels, i2c } = this.options;
    await this.send(setSamplingInterval(intervalMs));
    if (i2c) return this.startI2c(i2c);
    const mapping = await this.request(queryAnalogMapping(), SYSEX.analogMapping, ANSWER_MS, () =>
      boardStuck(this.transport.name, 'tell its analog inputs', ANSWER_MS),
    );
    const known = mapping.kind === 'sysex' ? [...mapping.data].filter((one) => one !== NO_CHANNEL) : [];
    const missing = channels.find((channel) => !known.includes(channel) || channel >= ANALOG_CHANNELS);
    if (missing !== undefined) throw firmataChannelMissing(this.transport.name, missing, known);
    for (const channel of channels) await this.send(reportAnalog(channel, true));
  }

  async next(): Promise<SampleRun | undefined> {
    const { clock, name } = this.transport;
    if (this.received >= this.options.samples) return undefined;
    const silenceMs = SILENCE_MS + (SILENT_PERIODS * 1000) / this.rateHz;
    const until = clock.now() + silenceMs;
    while (this.ready.length === 0) {
      if (clock.now() >= until) throw boardStuck(name, 'send samples', silenceMs);
      for (const message of await this.listen(until - clock.now())) this.take(message);
    }
    const rows = this.ready.splice(0, this.options.samples - this.received);
    const first = this.received + this.broken;
    this.received += rows.length;
    return { first, values: rows.flat() };
  }

  async stop(): Promise<void> {
    const { channels, i2c } = this.options;
    if (i2c) await this.send(stopI2c(i2c.address));
    else for (const channel of channels) await this.send(reportAnalog(channel, false));
  }

  private async startI2c(i2c: I2cSensor): Promise<void> {
    await this.send(configureI2c());
    for (const [register, value] of i2c.setup) await this.send(writeI2c(i2c.address, [register, value]));
    const bytes = this.channels * I2C_BYTES[i2c.type];
    await this.send(readI2cContinuously(i2c.address, i2c.register, bytes));
  }

  private send(bytes: Uint8Array): Promise<void> {
    return this.transport.write(bytes, this.options.signal);
  }

  private async listen(timeoutMs: number): Promise<FirmataMessage[]> {
    const chunk = await this.transport.read(Math.max(0, timeoutMs), this.options.signal);
    if (chunk.length > 0) this.heard = chunk.subarray(-64);
    return this.decoder.decode(chunk);
  }

  /** Asks again and again until the answer comes, by its kind or the command of its sysex message. */
  private async request(
    bytes: Uint8Array,
    wanted: 'version' | number,
    totalMs: number,
    late: () => Error,
  ): Promise<FirmataMessage> {
    const { clock } = this.transport;
    const until = clock.now() + totalMs;
    while (clock.now() < until) {
      await this.send(bytes);
      const next = Math.min(until, clock.now() + ASK_MS);
      while (clock.now() < next) {
        const messages = await this.listen(next - clock.now());
        const found = messages.find(
          (message) => message.kind === wanted || (message.kind === 'sysex' && message.command === wanted),
        );
        if (found) return found;
      }
    }
    throw late();
  }

  private take(message: FirmataMessage): void {
    const { i2c } = this.options;
    if (message.kind === 'analog' && !i2c) this.takeAnalog(message.channel, message.value);
    if (message.kind !== 'sysex') return;
    if (message.command === SYSEX.i2cReply && i2c) this.takeI2c(fromPairs(message.data), i2c);
    if (message.command === SYSEX.text) {
      this.options.onText?.(String.fromCharCode(...fromPairs(message.data)));
    }
  }

  /** The channels of a sample come one after the other; when one comes again before the last, a message was lost. */
  private takeAnalog(channel: number, value: number): void {
    if (!this.options.channels.includes(channel)) return;
    if (this.row.has(channel)) {
      this.broken++;
      this.row = new Map();
    }
    this.row.set(channel, value);
    if (this.row.size < this.channels) return;
    this.complete(this.options.channels.map((one) => this.row.get(one)!));
    this.row = new Map();
  }

  private takeI2c([address, register, ...data]: readonly number[], i2c: I2cSensor): void {
    if (address !== i2c.address || register !== i2c.register) return;
    const values = valuesOf(Uint8Array.from(data), i2c.type);
    if (values.length === this.channels) this.complete(values);
    else this.broken++;
  }

  private complete(values: number[]): void {
    this.ready.push(values);
    this.lastAt = this.transport.clock.now();
    this.firstAt ??= this.lastAt;
  }
}

/**
 * Starts a recording from a board with StandardFirmata. The rate is rounded to a whole number of milliseconds between
 * samples. Errors: E_FIRMATA_SILENT, E_FIRMATA_CHANNEL, E_FIRMATA_RATE, E_BOARD_TIMEOUT, E_DEVICE_LOST.
 */
export async function startFirmata(transport: Transport, options: FirmataOptions): Promise<SampleStream> {
  const intervalMs = Math.round(1000 / options.rateHz);
  if (intervalMs < 1 || intervalMs > LONGEST_INTERVAL_MS) throw firmataRateRefused(options.rateHz);
  const stream = new FirmataStream(transport, options, intervalMs);
  await stream.connect();
  await stream.start(intervalMs);
  return stream;
}
