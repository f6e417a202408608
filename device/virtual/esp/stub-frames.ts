const END = 0xc0;
const ESC = 0xdb;
const ESC_END = 0xdc;
const ESC_ESC = 0xdd;

/**
 * How Espressif's stub (version 2) takes frames from its UART: a delimiter is a beginning or an end by turns, so that
 * a lost one puts it out of step until another one too many or too few comes.
 */
export class StubFrames {
  private state: 'outside' | 'inside' | 'escaping' = 'outside';
  private content: number[] = [];
  private readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** The frame that ends with this byte, if one does. */
  take(byte: number): Uint8Array | undefined {
    if (this.state === 'outside') {
      if (byte === END) this.begin();
      return undefined;
    }
    if (this.state === 'escaping') {
      this.state = 'inside';
      if (byte === ESC_END) this.put(END);
      else if (byte === ESC_ESC) this.put(ESC);
      else this.state = 'outside';
      return undefined;
    }
    if (byte === ESC) this.state = 'escaping';
    else if (byte === END) return this.finish();
    else this.put(byte);
    return undefined;
  }

  private begin(): void {
    this.state = 'inside';
    this.content = [];
  }

  private finish(): Uint8Array | undefined {
    this.state = 'outside';
    return this.content.length > 0 ? Uint8Array.from(this.content) : undefined;
  }

  private put(byte: number): void {
    if (this.content.length === this.limit) this.state = 'outside';
    else this.content.push(byte);
  }
}
