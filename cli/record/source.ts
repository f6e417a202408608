import type { SourceName } from '../../device/bench/bench-sampler.ts';
import type { I2cSensor, I2cType } from '../../device/firmata/firmata-stream.ts';
import { badValue } from '../errors.ts';

/** What `--source` names. */
export type Source =
  | { readonly kind: SourceName; readonly channels: readonly number[] }
  | { readonly kind: 'i2c'; readonly channels: readonly number[]; readonly sensor: Omit<I2cSensor, 'setup'> };

export const sourceForms = 'adc:0,1, i2c:0x68:0x3b:int16be:3, counter or sine';

const channelLimit = 8;
const types: readonly I2cType[] = ['uint8', 'int8', 'int16be', 'int16le', 'uint16be', 'uint16le'];
const isByte = (value: number) => Number.isInteger(value) && value >= 0 && value <= 0xff;
const byteOf = (text = '') => (/^(0x[0-9a-f]{1,2}|\d{1,3})$/i.test(text) ? Number(text) : Number.NaN);

function channelsOf(text: string): readonly number[] | undefined {
  const channels = text.split(',').map(byteOf);
  const distinct = new Set(channels).size === channels.length;
  return channels.length <= channelLimit && distinct && channels.every(isByte) ? channels : undefined;
}

/** `i2c:ADDRESS:REGISTER:TYPE:COUNT`. */
function i2cOf(parts: readonly string[]): Source | undefined {
  const [address, register] = [byteOf(parts[0]), byteOf(parts[1])];
  const type = types.find((one) => one === (parts[2] ?? 'int16be'));
  const count = Number(parts[3] ?? '1');
  const valid =
    address <= 0x7f && isByte(register) && Number.isInteger(count) && count >= 1 && count <= channelLimit;
  if (!valid || type === undefined || parts.length > 4) return undefined;
  const channels = Array.from({ length: count }, (_, i) => i);
  return { kind: 'i2c', channels, sensor: { address, register, type } };
}

/** The text of `--source`. */
export function parseSource(text: string, name: string): Source {
  const [kind = '', ...parts] = text.toLowerCase().split(':');
  if (kind === 'i2c') {
    const source = i2cOf(parts);
    if (source) return source;
  } else if ((kind === 'adc' || kind === 'counter' || kind === 'sine') && parts.length <= 1) {
    const channels = channelsOf(parts[0] ?? '0');
    if (channels) return { kind, channels };
  }
  throw badValue(
    name,
    text,
    `${sourceForms}; up to ${channelLimit} channels; I2C types: ${types.join(', ')}`,
  );
}

/** `REGISTER=VALUE`, a byte each. */
export function parseRegister(text: string, name: string): readonly [number, number] {
  const [register, value, ...more] = text.split('=').map(byteOf);
  if (more.length > 0 || !isByte(register ?? Number.NaN) || !isByte(value ?? Number.NaN)) {
    throw badValue(name, text, 'REGISTER=VALUE, for example 0x6b=0');
  }
  return [register!, value!];
}
