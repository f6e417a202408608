/**
 * The serial protocol of the loader in the ROM of Espressif's chips and of the flasher stub that replaces it in RAM
 * (esptool documentation, "Serial Protocol"). All numbers are little-endian.
 */

export const COMMAND = {
  flashBegin: 0x02,
  flashData: 0x03,
  flashEnd: 0x04,
  memBegin: 0x05,
  memEnd: 0x06,
  memData: 0x07,
  sync: 0x08,
  writeReg: 0x09,
  readReg: 0x0a,
  spiSetParams: 0x0b,
  spiAttach: 0x0d,
  /** ROM only. */
  readFlashSlow: 0x0e,
  changeBaud: 0x0f,
  deflateBegin: 0x10,
  deflateData: 0x11,
  deflateEnd: 0x12,
  flashMd5: 0x13,
  /** ESP32-S2 and later. */
  securityInfo: 0x14,
  /** The stub only, from here on. */
  eraseFlash: 0xd0,
  eraseRegion: 0xd1,
  readFlash: 0xd2,
} as const;

export type Command = (typeof COMMAND)[keyof typeof COMMAND];

export const REQUEST = 0x00;
export const RESPONSE = 0x01;
/** Direction, command, length of the body (16 bits), checksum or value (32 bits). */
export const HEADER_BYTES = 8;
/** Size, sequence number and two zeros stand before the bytes of each data command. */
export const DATA_HEADER_BYTES = 16;

/** What a flash chip erases at once; all that the ROMs know have this size. */
export const SECTOR_BYTES = 4096;

/** Body of the sync command. */
export const SYNC_BODY = Uint8Array.of(0x07, 0x07, 0x12, 0x20, ...new Array<number>(32).fill(0x55));

/** A sync is answered this many times. */
export const SYNC_ANSWERS = 8;

/** What the stub says when it has started. */
export const GREETING = Uint8Array.from(Buffer.from('OHAI'));

const CHECKSUM_SEED = 0xef;

/** Exclusive or over the bytes of a data command. */
export function checksum(bytes: Uint8Array): number {
  let sum = CHECKSUM_SEED;
  for (const byte of bytes) sum ^= byte;
  return sum;
}

/** Little-endian 32-bit words. */
export function words(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, index) => {
    view.setUint32(4 * index, value >>> 0, true);
  });
  return bytes;
}

export function wordAt(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(offset, true);
}

/** The content of a frame, either way; `value` is the checksum of a request or the result of an answer. */
export interface Packet {
  readonly direction: number;
  readonly command: number;
  readonly value: number;
  readonly body: Uint8Array;
}

export function encodePacket({ direction, command, value, body }: Packet): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + body.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = direction;
  bytes[1] = command;
  view.setUint16(2, body.length, true);
  view.setUint32(4, value >>> 0, true);
  bytes.set(body, HEADER_BYTES);
  return bytes;
}

/** Undefined when the length does not fit. */
export function decodePacket(frame: Uint8Array): Packet | undefined {
  if (frame.length < HEADER_BYTES) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (view.getUint16(2, true) !== frame.length - HEADER_BYTES) return undefined;
  return {
    direction: frame[0]!,
    command: frame[1]!,
    value: view.getUint32(4, true),
    body: frame.subarray(HEADER_BYTES),
  };
}
