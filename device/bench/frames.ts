import { crc32 } from '../../common/crc32.ts';
import { cobsDecode, cobsEncode } from './cobs.ts';

/** docs/bench-protocol.md, version 1. */
export const PROTOCOL_VERSION = 1;
export const BODY_LIMIT = 1_024;

export const REQUEST = {
  hello: 0x01,
  load: 0x02,
  run: 0x03,
  read: 0x04,
  profile: 0x05,
  ticks: 0x06,
  hashes: 0x07,
  memory: 0x08,
  sample: 0x09,
} as const;

export const ANSWER_BIT = 0x80;
/** From a Cortex-M. */
export const CRASH = 0xf0;
export const READY = 0xf1;
export const CRASH_RISCV = 0xf2;
export const SAMPLES = 0xf3;
export const SAMPLES_END = 0xf4;
export const CRASH_XTENSA = 0xf5;
export const REFUSED = 0xff;

const HEAD_BYTES = 2;
const CRC_BYTES = 4;
/** One code byte for every 254 bytes of the longest frame, and the first one. */
export const ENCODED_LIMIT = BODY_LIMIT + HEAD_BYTES + CRC_BYTES + 5;
const NOISE_KEPT = 256;

export interface Frame {
  readonly type: number;
  readonly seq: number;
  readonly body: Uint8Array;
}

/** The bytes on the wire, delimiters included. */
export function encodeFrame(type: number, seq: number, body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEAD_BYTES + body.length + CRC_BYTES);
  frame[0] = type;
  frame[1] = seq;
  frame.set(body, HEAD_BYTES);
  const end = HEAD_BYTES + body.length;
  new DataView(frame.buffer).setUint32(end, crc32(frame.subarray(0, end)), true);
  const encoded = cobsEncode(frame);
  const wire = new Uint8Array(encoded.length + 2);
  wire.set(encoded, 1);
  return wire;
}

/** Undefined when the bytes between two delimiters are no frame, or a damaged one. */
export function decodeFrame(encoded: Uint8Array): Frame | undefined {
  const bytes = cobsDecode(encoded);
  if (!bytes || bytes.length < HEAD_BYTES + CRC_BYTES) return undefined;
  const end = bytes.length - CRC_BYTES;
  const wanted = new DataView(bytes.buffer, bytes.byteOffset).getUint32(end, true);
  if (crc32(bytes.subarray(0, end)) !== wanted) return undefined;
  return { type: bytes[0]!, seq: bytes[1]!, body: bytes.subarray(HEAD_BYTES, end) };
}

/** Finds the frames in a stream of bytes; what is none is kept, shortened, to say what was heard instead. */
export class FrameDecoder {
  private readonly pending = new Uint8Array(ENCODED_LIMIT);
  private length = 0;
  private heard: Uint8Array = new Uint8Array(0);

  /** The last bytes that belonged to no frame. */
  get noise(): Uint8Array {
    const open = this.pending.subarray(0, Math.min(this.length, ENCODED_LIMIT));
    return Buffer.concat([this.heard, open]).subarray(-NOISE_KEPT);
  }

  decode(chunk: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    for (const byte of chunk) {
      if (byte !== 0) {
        if (this.length < ENCODED_LIMIT) this.pending[this.length] = byte;
        this.length++;
      } else if (this.length > 0) {
        const frame = this.finish();
        if (frame) frames.push(frame);
      }
    }
    return frames;
  }

  private finish(): Frame | undefined {
    const encoded = this.pending.slice(0, Math.min(this.length, ENCODED_LIMIT));
    const frame = this.length <= ENCODED_LIMIT ? decodeFrame(encoded) : undefined;
    this.length = 0;
    if (!frame) this.heard = Buffer.concat([this.heard, encoded]).subarray(-NOISE_KEPT);
    return frame;
  }
}
