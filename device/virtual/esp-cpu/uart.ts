const FIFO = 0x00;
const STATUS = 0x1c;
const FIFO_BYTES = 128;
/** So often a program has to look for bytes in vain, with nothing else to do, until it is taken to wait for them. */
const VAIN_LOOKS = 64;
const OUTPUT_CHUNK = 512;

export interface UartOptions {
  onOutput(bytes: Uint8Array): void;
  /** The program does nothing but wait for bytes. */
  onIdle(): void;
}

/**
 * The UART of Espressif's chips as far as polling goes (reference manuals, chapter UART Controller). What is sent is
 * gone at once; what is received waits outside while the receiver is full, so that none is lost.
 */
export class Uart {
  private readonly options: UartOptions;
  private readonly waiting: number[] = [];
  private output: number[] = [];
  private looks = 0;
  private readonly registers = new Map<number, number>();

  constructor(options: UartOptions) {
    this.options = options;
  }

  reset(): void {
    this.waiting.length = 0;
    this.output = [];
    this.looks = 0;
    this.registers.clear();
  }

  /** Bytes that the program has not taken yet. */
  get pending(): number {
    return this.waiting.length;
  }

  receive(bytes: Uint8Array): void {
    for (const byte of bytes) this.waiting.push(byte);
    this.looks = 0;
  }

  read(offset: number): number {
    if (offset === FIFO) return this.waiting.shift() ?? 0;
    if (offset !== STATUS) return this.registers.get(offset) ?? 0;
    const count = Math.min(this.waiting.length, FIFO_BYTES - 1);
    if (count > 0) this.looks = 0;
    else if (++this.looks >= VAIN_LOOKS) {
      this.flush();
      this.options.onIdle();
    }
    return count;
  }

  write(offset: number, value: number): void {
    // The bit that takes over other registers falls by itself.
    if (offset !== FIFO) this.registers.set(offset, offset === 0x80 ? value & 0x7fffffff : value);
    else {
      this.looks = 0;
      this.output.push(value & 0xff);
      if (this.output.length >= OUTPUT_CHUNK) this.flush();
    }
  }

  /** Hands on what was sent and is still kept back. */
  flush(): void {
    if (this.output.length === 0) return;
    const bytes = Uint8Array.from(this.output);
    this.output = [];
    this.options.onOutput(bytes);
  }
}
