import { decodeFrame, ENCODED_LIMIT, type Frame } from './frames.ts';

export type Sifted = { readonly text: Uint8Array } | { readonly frame: Frame };

const ZERO = Uint8Array.of(0);

/**
 * Parts what a board prints from the frames that our firmware sends between it. Bytes are held back only after a zero,
 * which no text has, until they are known to be a frame or not; what is none comes out as it went in.
 */
export class FrameSieve {
  /** What came after a zero; undefined while there was none. */
  private held: Uint8Array[] | undefined;
  private size = 0;

  take(chunk: Uint8Array): Sifted[] {
    const parts: Sifted[] = [];
    const say = (text: Uint8Array) => {
      if (text.length > 0) parts.push({ text });
    };
    let start = 0;
    for (let zero = chunk.indexOf(0); zero >= 0; zero = chunk.indexOf(0, start)) {
      const piece = chunk.subarray(start, zero);
      start = zero + 1;
      if (this.held === undefined) {
        say(piece);
        this.held = [];
        continue;
      }
      this.hold(piece);
      const frame = this.size <= ENCODED_LIMIT ? decodeFrame(Buffer.concat(this.held)) : undefined;
      if (frame) {
        this.release();
        parts.push({ frame });
      } else {
        say(this.release());
        this.held = [];
      }
    }
    this.takeRest(chunk.subarray(start), say);
    return parts;
  }

  /** What is held back, when no more will come for a while. */
  flush(): Uint8Array {
    return this.release();
  }

  private takeRest(rest: Uint8Array, say: (text: Uint8Array) => void): void {
    if (this.held === undefined) {
      say(rest);
      return;
    }
    this.hold(rest);
    if (this.size > ENCODED_LIMIT) say(this.release());
  }

  private hold(piece: Uint8Array): void {
    if (piece.length === 0) return;
    // A transport may use its buffer again.
    this.held!.push(piece.slice());
    this.size += piece.length;
  }

  /** The zero and what followed it, which are held no longer. */
  private release(): Uint8Array {
    const bytes = this.held === undefined ? new Uint8Array(0) : Buffer.concat([ZERO, ...this.held]);
    this.held = undefined;
    this.size = 0;
    return bytes;
  }
}
