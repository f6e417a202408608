/** Firmata 2.x (github.com/firmata/protocol, protocol.md and i2c.md): the part that reads sensors. */

const START_SYSEX = 0xf0;
const END_SYSEX = 0xf7;
const REPORT_VERSION = 0xf9;
const ANALOG_MESSAGE = 0xe0;
const REPORT_ANALOG = 0xc0;

export const SYSEX = {
  analogMappingQuery: 0x69,
  analogMapping: 0x6a,
  extendedAnalog: 0x6f,
  text: 0x71,
  i2cRequest: 0x76,
  i2cReply: 0x77,
  i2cConfig: 0x78,
  firmware: 0x79,
  samplingInterval: 0x7a,
} as const;

/** An I2C request's mode, in bits 3 and 4 of its second byte. */
const I2C_WRITE = 0x00;
const I2C_READ_CONTINUOUSLY = 0x10;
const I2C_STOP_READING = 0x18;

export type FirmataMessage =
  | { readonly kind: 'version'; readonly major: number; readonly minor: number }
  | { readonly kind: 'analog'; readonly channel: number; readonly value: number }
  | { readonly kind: 'sysex'; readonly command: number; readonly data: Uint8Array };

/** The longest messages are capability reports of some hundred bytes; a board that never ends one loses it. */
const SYSEX_LIMIT = 4_096;
/** Bytes that follow a command, by its upper half: digital and analog message, version. */
const OPERANDS = 2;

const pairs = (value: number) => [value & 0x7f, (value >> 7) & 0x7f];

/** Two bytes of seven bits each, the lower first, as one number. */
export function fromPairs(data: Uint8Array): number[] {
  return Array.from({ length: data.length >> 1 }, (_, i) => data[2 * i]! | (data[2 * i + 1]! << 7));
}

/** Takes what a Firmata board sends apart, whatever way it was cut; what is none is passed over. */
export class FirmataDecoder {
  private command = 0;
  private operands: number[] = [];
  private sysex: number[] | undefined;

  decode(chunk: Uint8Array): FirmataMessage[] {
    const messages: FirmataMessage[] = [];
    for (const byte of chunk) {
      const message = this.take(byte);
      if (message) messages.push(message);
    }
    return messages;
  }

  private take(byte: number): FirmataMessage | undefined {
    if (this.sysex) return this.takeSysex(byte);
    if (byte === START_SYSEX) this.sysex = [];
    if (byte >= 0x80) {
      this.command = byte;
      this.operands = [];
      return undefined;
    }
    if (this.command === 0 || this.operands.push(byte) < OPERANDS) return undefined;
    const [first = 0, second = 0] = this.operands;
    const { command } = this;
    this.command = 0;
    if (command === REPORT_VERSION) return { kind: 'version', major: first, minor: second };
    if ((command & 0xf0) !== ANALOG_MESSAGE) return undefined;
    return { kind: 'analog', channel: command & 0x0f, value: first | (second << 7) };
  }

  private takeSysex(byte: number): FirmataMessage | undefined {
    const held = this.sysex!;
    if (byte < 0x80 && held.length < SYSEX_LIMIT) {
      held.push(byte);
      return undefined;
    }
    this.sysex = byte === START_SYSEX ? [] : undefined;
    this.command = 0;
    const [command, ...data] = held;
    // Any other byte with its top bit set means that the end was lost.
    return byte === END_SYSEX && command !== undefined
      ? { kind: 'sysex', command, data: Uint8Array.from(data) }
      : undefined;
  }
}

const sysex = (command: number, data: readonly number[] = []) =>
  Uint8Array.of(START_SYSEX, command, ...data, END_SYSEX);

export const queryVersion = () => Uint8Array.of(REPORT_VERSION);
export const queryAnalogMapping = () => sysex(SYSEX.analogMappingQuery);
export const setSamplingInterval = (ms: number) => sysex(SYSEX.samplingInterval, pairs(ms));
export const reportAnalog = (channel: number, on: boolean) =>
  Uint8Array.of(REPORT_ANALOG | channel, on ? 1 : 0);
export const configureI2c = () => sysex(SYSEX.i2cConfig, pairs(0));

export function writeI2c(address: number, bytes: readonly number[]): Uint8Array {
  return sysex(SYSEX.i2cRequest, [address, I2C_WRITE, ...bytes.flatMap(pairs)]);
}

/** The board reads `count` bytes from a register once in each sampling interval. */
export function readI2cContinuously(address: number, register: number, count: number): Uint8Array {
  return sysex(SYSEX.i2cRequest, [address, I2C_READ_CONTINUOUSLY, ...pairs(register), ...pairs(count)]);
}

export const stopI2c = (address: number) => sysex(SYSEX.i2cRequest, [address, I2C_STOP_READING]);
