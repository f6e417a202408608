/** SLIP framing (RFC 1055) as the ROM loaders of Espressif's chips use it: a delimiter before and after each frame. */

export const END = 0xc0;
const ESC = 0xdb;
const ESC_END = 0xdc;
const ESC_ESC = 0xdd;

/** One frame with its delimiters. */
export function encodeFrame(content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(2 * content.length + 2);
  let length = 0;
  bytes[length++] = END;
  for (const byte of content) {
    if (byte === END || byte === ESC) {
      bytes[length++] = ESC;
      bytes[length++] = byte === END ? ESC_END : ESC_ESC;
    } else bytes[length++] = byte;
  }
  bytes[length++] = END;
  return bytes.subarray(0, length);
}

/**
 * Cuts a stream into frames. Each delimiter ends one frame and begins the next, so a lost one costs at most two frames;
 * what stands between frames (a boot log) comes out as a frame that means nothing. Frames longer than `limit` and
 * wrong escapes are dropped.
 */
export class SlipDecoder {
  private readonly buffer: Uint8Array;
  private length = 0;
  private escaping = false;
  private broken = false;

  constructor(limit: number) {
    this.buffer = new Uint8Array(limit);
  }

  /** The frames that end within these bytes. */
  decode(bytes: Uint8Array): Uint8Array[] {
    const frames: Uint8Array[] = [];
    for (const byte of bytes) {
      if (byte !== END) this.take(byte);
      else {
        if (this.length > 0 && !this.broken && !this.escaping) frames.push(this.buffer.slice(0, this.length));
        this.reset();
      }
    }
    return frames;
  }

  /** Forgets a frame that has begun. */
  reset(): void {
    this.length = 0;
    this.escaping = false;
    this.broken = false;
  }

  private take(byte: number): void {
    if (this.escaping) {
      this.escaping = false;
      if (byte === ESC_END) this.put(END);
      else if (byte === ESC_ESC) this.put(ESC);
      else this.broken = true;
    } else if (byte === ESC) this.escaping = true;
    else this.put(byte);
  }

  private put(byte: number): void {
    if (this.length === this.buffer.length) this.broken = true;
    else this.buffer[this.length++] = byte;
  }
}
