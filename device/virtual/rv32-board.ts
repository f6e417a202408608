import { statSync } from 'node:fs';
import type { Signals } from '../transport/transport.ts';
import { type QemuImage, QemuProcess } from './qemu-process.ts';
import type { SerialBoard } from './serve-board.ts';

export interface Rv32BoardOptions {
  readonly image: QemuImage;
  onOutput(bytes: Uint8Array): void;
  /** Told what a person with the board on the desk would see, such as that nothing runs. */
  onNote(text: string): void;
}

function isEmpty(file: string): boolean {
  return (statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0;
}

/** A core in QEMU that runs what its image file holds. DTR asserted holds it in reset; there is no boot loader. */
export class Rv32Board implements SerialBoard {
  signals: Signals = { dtr: false, rts: false };
  private readonly options: Rv32BoardOptions;
  private qemu: QemuProcess | undefined;
  private ending: Promise<unknown> = Promise.resolve();
  /** What a person would see of the present run: why nothing runs. */
  lastNote: string | undefined;

  constructor(options: Rv32BoardOptions) {
    this.options = options;
  }

  /** Runs the image file's present content from its first instruction. */
  reset(): void {
    void this.halt();
    const { image, onOutput } = this.options;
    if (isEmpty(image.flashFile)) {
      this.note('no image is loaded, so nothing runs');
      return;
    }
    this.qemu = new QemuProcess({
      ...image,
      onOutput,
      onExit: (message) => this.note(`the core stopped: ${message}`),
    });
  }

  private note(text: string): void {
    this.lastNote = text;
    this.options.onNote(text);
  }

  /** Stops the core; resolves when no emulator runs any more. */
  async halt(): Promise<void> {
    const { qemu } = this;
    this.qemu = undefined;
    this.lastNote = undefined;
    if (qemu) this.ending = Promise.all([this.ending, qemu.stop()]);
    await this.ending;
  }

  setSignals(signals: Signals): void {
    const before = this.signals;
    this.signals = signals;
    if (signals.dtr) void this.halt();
    else if (before.dtr) this.reset();
  }

  setParity(): void {}

  disconnected(): void {
    this.setSignals({ ...this.signals, dtr: false });
  }

  receive(bytes: Uint8Array): boolean {
    return this.qemu?.write(bytes) ?? true;
  }

  onDrain(call: () => void): void {
    if (this.qemu) this.qemu.onDrain(call);
    else setImmediate(call);
  }
}
