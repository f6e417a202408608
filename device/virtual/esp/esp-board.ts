import type { Signals } from '../../transport/transport.ts';
import type { SerialBoard } from '../serve-board.ts';
import { type EspProfile, profiles, type VirtualEspChip } from './esp-profile.ts';
import { type EspSecurity, LoaderServer } from './loader-server.ts';
import type { NorFlash } from './nor-flash.ts';

/** What runs the program in flash when the chip does not start its loader. */
export interface Processor {
  /** Starts from the beginning with what the flash holds now; called at each reset. */
  reset(flash: Uint8Array): void;
  halt(): void;
  /** False when it is slow to take it: then `onDrain` says when to go on. */
  receive(bytes: Uint8Array): boolean;
  onDrain(call: () => void): void;
  /** Ends for good. */
  close(): Promise<void>;
}

export interface ProcessorPorts {
  /** What it sends through its UART. */
  onOutput(bytes: Uint8Array): void;
  /** What a person with the board on the desk would see. */
  onNote(text: string): void;
}

export type MakeProcessor = (ports: ProcessorPorts) => Processor;

/** Runs nothing: says what the ROM says of a flash without a program. */
export const noProcessor: MakeProcessor = ({ onOutput, onNote }) => ({
  reset(flash) {
    const word = new DataView(flash.buffer, flash.byteOffset).getUint32(0, true);
    onOutput(Buffer.from(`invalid header: 0x${word.toString(16).padStart(8, '0')}\r\n`));
    onNote('the flash holds no image that this board can run');
  },
  halt() {},
  receive: () => true,
  onDrain: (call) => setImmediate(call),
  close: async () => {},
});

export interface EspBoardOptions {
  readonly chip: VirtualEspChip;
  readonly flash: NorFlash;
  readonly processor: Processor;
  readonly security?: EspSecurity | undefined;
  readonly registers?: ReadonlyMap<number, number> | undefined;
  /**
   * How long the capacitor at EN holds the chip back after a reset. What IO0 is by then decides what starts; 0 decides
   * at once. Clients that change one line after the other over a network need some tenths of a second.
   */
  readonly enableDelayMs: number;
  onOutput(bytes: Uint8Array): void;
  /** The chip starts anew. */
  onReset?(): void;
}

type Running = 'held' | 'starting' | 'loader' | 'flash';

/** Two per cent is what a UART bears; clocks derived from a crystal are nearer than that. */
const BAUD_TOLERANCE = 0.03;

/**
 * What is on a DevKit: the chip, its flash, and two transistors that let RTS alone pull EN down, and DTR alone IO0.
 * Both lines asserted or both released let both pins be.
 */
export class EspBoard implements SerialBoard {
  signals: Signals = { dtr: false, rts: false };
  private readonly options: EspBoardOptions;
  private readonly profile: EspProfile;
  private readonly loader: LoaderServer;
  private running: Running = 'held';
  private timer: NodeJS.Timeout | undefined;
  /** The rate of the client, as far as it can say, and that of the chip's UART once it measured or was told one. */
  private clientBaud: number | undefined;
  private chipBaud: number | undefined;
  private restarting = false;

  constructor(options: EspBoardOptions) {
    this.options = options;
    this.profile = profiles[options.chip];
    this.loader = new LoaderServer(options.flash, this.profile, {
      security: options.security,
      registers: options.registers,
      onBaud: (baud) => {
        this.chipBaud = baud;
      },
      onRestart: () => {
        this.restarting = true;
      },
    });
  }

  /** Whether the loader, of the ROM or the stub, is what answers. */
  get inLoader(): boolean {
    return this.running === 'loader';
  }

  /** Ends a reset, with IO0 low for the loader or high for the program in flash. */
  reset(mode: 'bootloader' | 'flash'): void {
    this.halt();
    this.options.onReset?.();
    const { banner, reset, boot } = this.profile;
    const place = mode === 'bootloader' ? boot.download : boot.flash;
    this.options.onOutput(Buffer.from(`${banner}${reset},${place}\r\n`));
    this.chipBaud = undefined;
    if (mode === 'flash') {
      this.running = 'flash';
      this.options.processor.reset(this.options.flash.bytes);
      return;
    }
    this.running = 'loader';
    this.loader.reset();
    this.options.onOutput(Buffer.from('waiting for download\r\n'));
  }

  setSignals(signals: Signals): void {
    this.signals = signals;
    const enable = !(signals.rts && !signals.dtr);
    const bootPinLow = signals.dtr && !signals.rts;
    if (!enable) this.halt();
    else if (this.running === 'held') this.start(bootPinLow);
    else if (this.running === 'starting' && bootPinLow) this.reset('bootloader');
  }

  setParity(): void {}

  setBaud(baud: number): void {
    this.clientBaud = baud;
  }

  /** The client is gone, and with it whatever held the lines. */
  disconnected(): void {
    this.clientBaud = undefined;
    this.setSignals({ dtr: false, rts: false });
  }

  receive(bytes: Uint8Array): boolean {
    if (this.running === 'flash') return this.options.processor.receive(bytes);
    if (this.running !== 'loader' || !this.hears()) return true;
    const answer = this.loader.receive(bytes);
    if (answer.length > 0) this.options.onOutput(answer);
    if (this.restarting) {
      this.restarting = false;
      this.reset(this.signals.dtr && !this.signals.rts ? 'bootloader' : 'flash');
    }
    return true;
  }

  onDrain(call: () => void): void {
    this.options.processor.onDrain(call);
  }

  async close(): Promise<void> {
    this.halt();
    await this.options.processor.close();
  }

  private start(bootPinLow: boolean): void {
    if (bootPinLow || this.options.enableDelayMs === 0) {
      this.reset(bootPinLow ? 'bootloader' : 'flash');
      return;
    }
    this.running = 'starting';
    this.timer = setTimeout(() => this.reset('flash'), this.options.enableDelayMs);
  }

  /** The ROM takes its rate from the first client that speaks; after that both have to agree. */
  private hears(): boolean {
    if (this.clientBaud === undefined) return true;
    this.chipBaud ??= this.clientBaud;
    return Math.abs(this.clientBaud / this.chipBaud - 1) < BAUD_TOLERANCE;
  }

  private halt(): void {
    clearTimeout(this.timer);
    if (this.running === 'flash') this.options.processor.halt();
    this.running = 'held';
  }
}
