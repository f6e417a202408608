import type { Duplex } from 'node:stream';

export interface Frame {
  readonly type: number;
  readonly sequence: number;
  readonly body: Buffer;
}

/** CRC-32/ISO-HDLC, table-driven, so that it shares nothing with the firmware's. */
const TABLE = Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});

export function checksum(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8)) >>> 0;
  return ~crc >>> 0;
}

/** COBS after Cheshire and Baker, "Consistent Overhead Byte Stuffing" (1999). */
export function encode(bytes: Uint8Array): Buffer {
  const out: number[] = [];
  let block: number[] = [];
  const close = () => {
    out.push(block.length + 1, ...block);
    block = [];
  };
  for (const byte of bytes) {
    if (byte === 0) close();
    else {
      block.push(byte);
      if (block.length === 254) close();
    }
  }
  close();
  return Buffer.from(out);
}

export function decode(bytes: Uint8Array): Buffer | undefined {
  const out: number[] = [];
  for (let index = 0; index < bytes.length; ) {
    const code = bytes[index]!;
    if (code === 0 || index + code > bytes.length) return undefined;
    out.push(...bytes.subarray(index + 1, index + code));
    index += code;
    if (code < 255 && index < bytes.length) out.push(0);
  }
  return Buffer.from(out);
}

export function frameBytes(type: number, sequence: number, body: Uint8Array): Buffer {
  const content = Buffer.concat([Buffer.from([type, sequence]), body]);
  const crc = Buffer.alloc(4);
  crc.writeUInt32LE(checksum(content));
  return Buffer.concat([Buffer.from([0]), encode(Buffer.concat([content, crc])), Buffer.from([0])]);
}

export function parseFrame(encoded: Uint8Array): Frame | undefined {
  const bytes = decode(encoded);
  if (!bytes || bytes.length < 6) return undefined;
  const content = bytes.subarray(0, -4);
  if (checksum(content) !== bytes.readUInt32LE(bytes.length - 4)) return undefined;
  return { type: bytes[0]!, sequence: bytes[1]!, body: Buffer.from(content.subarray(2)) };
}

/** A plain client of docs/bench-protocol.md, written apart from the product's own. */
export class BenchClient {
  readonly #socket: Duplex;
  readonly #patience: number;
  #received = Buffer.alloc(0);
  #frames: Frame[] = [];
  #wake: (() => void) | undefined;
  #sequence = 0;

  /** `patience` is in milliseconds for one answer: long for a board inside this process, which loses no byte. */
  constructor(socket: Duplex, patience = 5000) {
    this.#socket = socket;
    this.#patience = patience;
    socket.on('data', (bytes) => this.#take(bytes));
    socket.on('error', () => {});
  }

  #take(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    for (let end = this.#received.indexOf(0); end >= 0; end = this.#received.indexOf(0)) {
      const frame = parseFrame(this.#received.subarray(0, end));
      if (frame) this.#frames.push(frame);
      this.#received = this.#received.subarray(end + 1);
    }
    this.#wake?.();
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** The next frame, or undefined after `milliseconds` without one. */
  async next(milliseconds = this.#patience): Promise<Frame | undefined> {
    const end = Date.now() + milliseconds;
    while (this.#frames.length === 0 && Date.now() < end) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, end - Date.now());
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#frames.shift();
  }

  /**
   * Sends a request and returns its answer, whatever its type. As the protocol says, it is sent again when no answer
   * comes: on a busy machine the emulator may drop a byte.
   */
  async ask(
    type: number,
    body: Uint8Array = Buffer.alloc(0),
    sequence = this.#nextSequence(),
  ): Promise<Frame> {
    for (let attempt = 0; attempt < 4; attempt++) {
      this.write(frameBytes(type, sequence, body));
      for (let frame = await this.next(); frame; frame = await this.next()) {
        if (frame.sequence === sequence && frame.type !== 0xf1) return frame;
      }
    }
    throw new Error(`no answer to request 0x${type.toString(16)}`);
  }

  #nextSequence(): number {
    this.#sequence = (this.#sequence + 1) % 256;
    return this.#sequence;
  }
}
