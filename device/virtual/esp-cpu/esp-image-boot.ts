import { createHash } from 'node:crypto';

/** What the ROM copied where, and where it starts it. */
export interface BootImage {
  readonly entry: number;
  readonly segments: readonly { readonly address: number; readonly bytes: Uint8Array }[];
  /** What the ROM says before it starts it: of a hash that is wrong, which does not keep it from doing so. */
  readonly said: string;
}

const ESP32 = 0;

/** The ESP32's ROM and the later ones use other words, and say in which line of their source they gave up. */
function checksumWords(chipId: number, calculated: number, stored: number): string {
  const [one, other] = [calculated, stored].map((sum) => `0x${sum.toString(16).padStart(2, '0')}`);
  return chipId === ESP32
    ? `csum err:${one}!=${other}\r\nets_main.c 384 `
    : `Checksum failure. Calculated ${one} stored ${other}\r\nets_main.c 333 `;
}

const MAGIC = 0xe9;
const HEADER_BYTES = 24;
const MAX_SEGMENTS = 16;
const CHECKSUM_SEED = 0xef;

/**
 * The image at `offset` in flash as a chip's ROM takes it (esptool documentation, Firmware Image Format), or what the
 * ROM says of one that it does not start: an invalid header or a wrong checksum.
 */
export function readBootImage(flash: Uint8Array, offset: number, chipId: number): BootImage | string {
  const view = new DataView(flash.buffer, flash.byteOffset, flash.byteLength);
  const count = view.getUint8(offset + 1);
  if (view.getUint8(offset) !== MAGIC || count === 0 || count > MAX_SEGMENTS)
    return `invalid header: 0x${view.getUint32(offset, true).toString(16).padStart(8, '0')}`;
  if (view.getUint16(offset + 12, true) !== chipId)
    return `invalid chip id: ${view.getUint16(offset + 12, true)}`;
  const segments: { address: number; bytes: Uint8Array }[] = [];
  let at = offset + HEADER_BYTES;
  let sum = CHECKSUM_SEED;
  for (let i = 0; i < count; i++) {
    if (at + 8 > flash.length) return 'invalid segment';
    const bytes = view.getUint32(at + 4, true);
    if (at + 8 + bytes > flash.length) return 'invalid segment length';
    const content = flash.subarray(at + 8, at + 8 + bytes);
    segments.push({ address: view.getUint32(at, true), bytes: content });
    for (const byte of content) sum ^= byte;
    at += 8 + bytes;
  }
  const end = offset + (Math.floor((at - offset) / 16) + 1) * 16;
  if (flash[end - 1] !== sum) return checksumWords(chipId, sum, flash[end - 1]!);
  const said = view.getUint8(offset + 23) === 1 ? hashSaid(flash, offset, end) : '';
  return { entry: view.getUint32(offset + 4, true), segments, said };
}

/** Nothing when the hash behind the image is right. */
function hashSaid(flash: Uint8Array, offset: number, end: number): string {
  const calculated = createHash('sha256').update(flash.subarray(offset, end)).digest();
  const expected = Buffer.from(flash.subarray(end, end + calculated.length));
  if (calculated.equals(expected)) return '';
  return [
    'SHA-256 comparison failed:',
    `Calculated: ${calculated.toString('hex')}`,
    `Expected: ${expected.toString('hex')}`,
    'Attempting to boot anyway...',
    '',
  ].join('\r\n');
}
