import { createHash } from 'node:crypto';
import { wordAt } from '../../esp/protocol.ts';

/** The stub's way to send flash: one packet at a time, each answered by how much has arrived, then an MD5 of all. */
export class FlashReading {
  isOver = false;
  private sent = 0;
  private readonly bytes: Uint8Array;
  private readonly packetBytes: number;

  constructor(bytes: Uint8Array, packetBytes: number) {
    this.bytes = bytes;
    this.packetBytes = packetBytes;
  }

  start(): Uint8Array[] {
    return this.bytes.length === 0 ? this.end() : this.next();
  }

  /** A frame that is no acknowledgement ends the reading early. */
  acknowledged(frame: Uint8Array): Uint8Array[] {
    if (frame.length !== 4) return this.end();
    if (this.sent < this.bytes.length) return this.next();
    return wordAt(frame, 0) >= this.bytes.length ? this.end() : [];
  }

  private next(): Uint8Array[] {
    const packet = this.bytes.subarray(this.sent, this.sent + this.packetBytes);
    this.sent += packet.length;
    return [packet];
  }

  private end(): Uint8Array[] {
    this.isOver = true;
    return [createHash('md5').update(this.bytes.subarray(0, this.sent)).digest()];
  }
}
