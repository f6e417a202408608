import { readBootImage } from './esp-image-boot.ts';
import { Uart } from './uart.ts';

/** A chip's core with its memory and devices, as what runs a program sees it. */
export interface Machine {
  /** False when an address is not in its memory. */
  place(address: number, bytes: Uint8Array): boolean;
  start(entry: number): void;
  /** Runs at most `instructions`; returns early once `stop` was called. */
  run(instructions: number): void;
  stop(): void;
  /** What stopped it for good, if something did. */
  readonly broken: string | undefined;
}

export interface ProcessorPorts {
  /** What it sends through its UART. */
  onOutput(bytes: Uint8Array): void;
  /** What a person with the board on the desk would see. */
  onNote(text: string): void;
}

export interface MachineParts {
  readonly uart: Uart;
  readonly flash: () => Uint8Array;
}

export interface ProcessorOptions {
  readonly chipId: number;
  readonly imageOffset: number;
  readonly makeMachine: (parts: MachineParts) => Machine;
}

/** Long enough to be fast, short enough for the process to see to its sockets. */
const SLICE = 400_000;
const INPUT_LIMIT = 65_536;
/** A program that waits for bytes may wait for a time as well. */
const WAKE_MS = 5;

/** Runs the program in a virtual chip's flash, in slices between which the process does other things. */
export class Processor {
  private readonly options: ProcessorOptions;
  private readonly ports: ProcessorPorts;
  private readonly uart: Uart;
  private readonly machine: Machine;
  private flash: Uint8Array = new Uint8Array();
  private state: 'halted' | 'running' | 'idle' = 'halted';
  private scheduled: NodeJS.Immediate | undefined;
  private waking: NodeJS.Timeout | undefined;
  private draining: (() => void)[] = [];

  constructor(options: ProcessorOptions, ports: ProcessorPorts) {
    this.options = options;
    this.ports = ports;
    this.uart = new Uart({ onOutput: (bytes) => ports.onOutput(bytes), onIdle: () => this.rest() });
    this.machine = options.makeMachine({ uart: this.uart, flash: () => this.flash });
  }

  /** Starts from the beginning with what the flash holds now, as the chip's ROM does. */
  reset(flash: Uint8Array): void {
    this.halt();
    this.flash = flash;
    this.uart.reset();
    const image = readBootImage(flash, this.options.imageOffset, this.options.chipId);
    if (typeof image === 'string') {
      this.ports.onOutput(Buffer.from(`${image}\r\n`));
      this.ports.onNote(`the flash holds no image that the ROM starts: ${image}`);
      return;
    }
    const lost = image.segments.find(({ address, bytes }) => !this.machine.place(address, bytes));
    if (lost) {
      this.ports.onNote(`the image goes to 0x${lost.address.toString(16)}, where there is no memory`);
      return;
    }
    if (image.said !== '') this.ports.onOutput(Buffer.from(image.said));
    this.machine.start(image.entry);
    this.resume();
  }

  halt(): void {
    this.state = 'halted';
    clearImmediate(this.scheduled);
    clearTimeout(this.waking);
    this.scheduled = undefined;
  }

  /** False when it is slow to take it: then `onDrain` says when to go on. */
  receive(bytes: Uint8Array): boolean {
    if (this.state === 'halted') return true;
    this.uart.receive(bytes);
    if (this.state === 'idle') this.resume();
    return this.uart.pending < INPUT_LIMIT;
  }

  onDrain(call: () => void): void {
    if (this.state === 'halted') setImmediate(call);
    else this.draining.push(call);
  }

  async close(): Promise<void> {
    this.halt();
  }

  private rest(): void {
    this.state = 'idle';
    this.machine.stop();
    clearTimeout(this.waking);
    this.waking = setTimeout(() => this.resume(), WAKE_MS);
  }

  private resume(): void {
    this.state = 'running';
    clearTimeout(this.waking);
    this.scheduled = setImmediate(() => this.slice());
  }

  private slice(): void {
    this.machine.run(SLICE);
    this.uart.flush();
    if (this.machine.broken !== undefined) {
      this.ports.onNote(`the core stopped: ${this.machine.broken}`);
      this.halt();
    }
    if (this.uart.pending < INPUT_LIMIT) for (const call of this.draining.splice(0)) call();
    if (this.state === 'running') this.resume();
  }
}
