import type { Parity, Signals } from '../transport/transport.ts';
import { BootloaderServer } from './bootloader-server.ts';
import { type EmulatedChip, FLASH_ADDRESS } from './emulated-chip.ts';
import { QemuProcess } from './qemu-process.ts';
import type { SerialBoard } from './serve-board.ts';

export interface BoardOptions {
  readonly chip: EmulatedChip;
  readonly chipId: number;
  readonly erase?: 'extended' | 'plain';
  readonly flashFile: string;
  readonly qemuBinary: string;
  readonly qemuMachine: string;
  readonly setpriv?: string | undefined;
  onOutput(bytes: Uint8Array): void;
  /** Lines of QEMU's log of executed code. */
  readonly onTrace?: ((line: string) => void) | undefined;
  /** Told what a person with the board on the desk would see, such as a lock-up. */
  onNote(text: string): void;
}

type Running = 'nothing' | 'bootloader' | 'flash';

/**
 * What is on the board: a chip whose reset and boot pins hang on DTR and RTS, its boot loader, and QEMU in the part of
 * the running chip. DTR asserted holds NRST low; RTS released raises BOOT0, which the chip samples when reset ends.
 */
export class Stm32Board implements SerialBoard {
  signals: Signals = { dtr: false, rts: true };
  private readonly options: BoardOptions;
  private readonly bootloader: BootloaderServer;
  private running: Running = 'nothing';
  private going = false;
  private parity: Parity | 'other' = 'even';
  private qemu: QemuProcess | undefined;
  private endings: Promise<void>[] = [];
  /** What a person would see of the present run: why nothing runs. */
  lastNote: string | undefined;

  constructor(options: BoardOptions) {
    this.options = options;
    this.bootloader = new BootloaderServer(options.chip, {
      chipId: options.chipId,
      ...(options.erase ? { erase: options.erase } : {}),
      onGo: () => {
        this.going = true;
      },
    });
  }

  /** Ends a reset, with BOOT0 high for the boot loader or low for the flash. */
  reset(mode: 'bootloader' | 'flash'): void {
    this.halt();
    if (mode === 'flash') {
      this.run();
      return;
    }
    this.running = 'bootloader';
    this.bootloader.reset();
  }

  setSignals(signals: Signals): void {
    const before = this.signals;
    this.signals = signals;
    if (signals.dtr) this.halt();
    else if (before.dtr) this.reset(signals.rts ? 'flash' : 'bootloader');
  }

  setParity(parity: Parity | 'other'): void {
    this.parity = parity;
  }

  /** The client is gone, and with it whatever held the chip in reset; the boot pin stays where it was. */
  disconnected(): void {
    this.parity = 'even';
    this.setSignals({ ...this.signals, dtr: false });
  }

  receive(bytes: Uint8Array): boolean {
    if (this.running === 'flash') return this.qemu?.write(bytes) ?? true;
    // The boot loader's UART checks even parity, so it hears nothing that makes sense with any other.
    if (this.running === 'bootloader' && this.parity === 'even') {
      this.options.onOutput(this.bootloader.receive(bytes));
      // Not before its acknowledgement is out.
      if (this.going) this.run();
    }
    return true;
  }

  onDrain(call: () => void): void {
    if (this.qemu) this.qemu.onDrain(call);
    else setImmediate(call);
  }

  async close(): Promise<void> {
    this.halt();
    await Promise.all(this.endings);
  }

  private run(): void {
    this.going = false;
    this.running = 'flash';
    if (this.options.chip.blank) {
      this.note('the flash is erased, so nothing runs');
      return;
    }
    this.qemu = new QemuProcess({
      binary: this.options.qemuBinary,
      machine: this.options.qemuMachine,
      flashFile: this.options.flashFile,
      flashAddress: FLASH_ADDRESS,
      setpriv: this.options.setpriv,
      onOutput: (bytes) => this.options.onOutput(bytes),
      onTrace: this.options.onTrace,
      onExit: (message) => this.note(`the chip stopped: ${message}`),
    });
  }

  private note(text: string): void {
    this.lastNote = text;
    this.options.onNote(text);
  }

  private halt(): void {
    this.running = 'nothing';
    this.lastNote = undefined;
    const qemu = this.qemu;
    this.qemu = undefined;
    if (!qemu) return;
    const ending = qemu.stop().finally(() => {
      this.endings = this.endings.filter((other) => other !== ending);
    });
    this.endings.push(ending);
  }
}
