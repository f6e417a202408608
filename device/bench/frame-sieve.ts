import { decodeFrame, ENCODED_LIMIT, type Frame } from './frames.ts';

export type Sifted = { readonly text: Uint8Array } | { readonly frame: Frame };

/**
 * Parts what a board prints from the frames that our firmware sends between it. Bytes are held back only after a zero,
 * which no text has, until they are known to be a frame or not; what is none comes out as it went in.
 */
export class FrameSieve {
  private held: number[] | undefined;

  take(chunk: Uint8Array): Sifted[] {
    const parts: Sifted[] = [];
    let text: number[] = [];
    const endText = () => {
      if (text.length > 0) parts.push({ text: Uint8Array.from(text) });
      text = [];
    };
    for (const byte of chunk) {
      if (this.held === undefined) {
        if (byte === 0) this.held = [];
        else text.push(byte);
        continue;
      }
      if (byte !== 0) {
        this.held.push(byte);
        if (this.held.length > ENCODED_LIMIT) text.push(...this.release());
        continue;
      }
      const frame = decodeFrame(Uint8Array.from(this.held));
      if (!frame) {
        text.push(...this.release());
        this.held = [];
        continue;
      }
      this.held = undefined;
      endText();
      parts.push({ frame });
    }
    endText();
    return parts;
  }

  /** What is held back, when no more will come for a while. */
  flush(): Uint8Array {
    return Uint8Array.from(this.held === undefined ? [] : this.release());
  }

  private release(): number[] {
    const bytes = [0, ...(this.held ?? [])];
    this.held = undefined;
    return bytes;
  }
}
