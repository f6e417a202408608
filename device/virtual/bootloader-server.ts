import type { EmulatedChip } from './emulated-chip.ts';
import { FLASH_ADDRESS } from './emulated-chip.ts';

/** AN3155: codes of the USART protocol of the STM32 boot loader. */
const ACK = 0x79;
const NACK = 0x1f;
const SYNC = 0x7f;
const GET = 0x00;
const GET_VERSION = 0x01;
const GET_ID = 0x02;
const READ_MEMORY = 0x11;
const GO = 0x21;
const WRITE_MEMORY = 0x31;
const ERASE = 0x43;
const EXTENDED_ERASE = 0x44;
const WRITE_PROTECT = 0x63;
const WRITE_UNPROTECT = 0x73;
const READ_PROTECT = 0x82;
const READ_UNPROTECT = 0x92;

/** Major and minor number, as in an STM32F405 (AN2606). */
const VERSION = 0x31;

/** AN3155 table 2: all that a read-protected chip still does. */
const ALLOWED_WHEN_PROTECTED = new Set([GET, GET_VERSION, GET_ID, READ_UNPROTECT]);

export interface BootloaderServerOptions {
  readonly chipId: number;
  /** Which erase command there is; the STM32F4 has the extended one only. */
  readonly erase?: 'extended' | 'plain';
  /** Called after a Go to the start of the flash was acknowledged. */
  readonly onGo?: () => void;
}

/** A routine that is handed one byte at each yield, the way the chip's own code waits for its UART. */
type Routine<T = void> = Generator<undefined, T, number>;

/** The chip's half of AN3155: bytes in, bytes out, at once. */
export class BootloaderServer {
  private readonly chip: EmulatedChip;
  private readonly options: BootloaderServerOptions;
  private readonly commands: ReadonlyMap<number, () => Routine | undefined>;
  private routine: Routine;
  private answer: number[] = [];
  private running = true;

  constructor(chip: EmulatedChip, options: BootloaderServerOptions) {
    this.chip = chip;
    this.options = options;
    this.commands = this.commandTable();
    this.routine = this.start();
  }

  /** As after a reset into the boot loader: it waits for the sync byte. */
  reset(): void {
    this.answer = [];
    this.routine = this.start();
  }

  receive(bytes: Uint8Array): Uint8Array {
    for (const byte of bytes) {
      if (this.running) this.routine.next(byte);
    }
    const answer = Uint8Array.from(this.answer);
    this.answer = [];
    return answer;
  }

  private start(): Routine {
    const routine = this.session();
    this.running = true;
    routine.next();
    return routine;
  }

  private commandTable(): Map<number, () => Routine | undefined> {
    const extended = this.options.erase !== 'plain';
    return new Map<number, () => Routine | undefined>([
      [GET, () => this.get()],
      [GET_VERSION, () => this.getVersion()],
      [GET_ID, () => this.getId()],
      [READ_MEMORY, () => this.readMemory()],
      [GO, () => this.go()],
      [WRITE_MEMORY, () => this.writeMemory()],
      extended ? [EXTENDED_ERASE, () => this.extendedErase()] : [ERASE, () => this.plainErase()],
      [WRITE_PROTECT, () => this.writeProtect()],
      [WRITE_UNPROTECT, () => this.writeUnprotect()],
      [READ_PROTECT, () => this.readProtect()],
      [READ_UNPROTECT, () => this.readUnprotect()],
    ]);
  }

  private say(...bytes: number[]): void {
    for (const byte of bytes) this.answer.push(byte);
  }

  private *session(): Routine {
    // The chip measures the baud rate on the first 0x7F; anything before it has no meaning.
    while ((yield) !== SYNC);
    this.say(ACK);
    for (;;) {
      const code = yield;
      const complement = yield;
      const command = (code ^ complement) === 0xff ? this.commands.get(code) : undefined;
      if (!command || (this.chip.readProtected && !ALLOWED_WHEN_PROTECTED.has(code))) {
        this.say(NACK);
        continue;
      }
      this.say(ACK);
      const routine = command();
      if (routine) yield* routine;
    }
  }

  private get(): undefined {
    const codes = [...this.commands.keys()];
    this.say(codes.length, VERSION, ...codes, ACK);
  }

  private getVersion(): undefined {
    this.say(VERSION, 0, 0, ACK);
  }

  private getId(): undefined {
    this.say(1, this.options.chipId >> 8, this.options.chipId & 0xff, ACK);
  }

  private *readMemory(): Routine {
    const address = yield* this.address();
    if (address === undefined || !this.chip.read(address, 1)) {
      this.say(NACK);
      return;
    }
    this.say(ACK);
    const count = yield;
    const complement = yield;
    const data = (count ^ complement) === 0xff ? this.chip.read(address, count + 1) : undefined;
    if (data) this.say(ACK, ...data);
    else this.say(NACK);
  }

  private *writeMemory(): Routine {
    const address = yield* this.address();
    if (address === undefined || !this.chip.writable(address)) {
      this.say(NACK);
      return;
    }
    this.say(ACK);
    const count = yield;
    const data = yield* this.checked([count], count + 1);
    this.say(data && this.chip.write(address, Uint8Array.from(data)) ? ACK : NACK);
  }

  private *go(): Routine {
    const address = yield* this.address();
    if (address !== FLASH_ADDRESS) {
      this.say(NACK);
      return;
    }
    this.say(ACK);
    this.stop();
    this.options.onGo?.();
  }

  private *extendedErase(): Routine {
    const high = yield;
    const low = yield;
    const count = (high << 8) | low;
    if (count >= 0xfff0) {
      const whole = yield* this.checked([high, low], 0);
      // 0xFFFE and 0xFFFD are the banks of chips that have two; this one has not.
      if (whole && count === 0xffff) this.chip.eraseAll();
      this.say(whole && count === 0xffff ? ACK : NACK);
      return;
    }
    if (count >= this.chip.sectors.length) {
      this.say(NACK);
      return;
    }
    const codes = yield* this.checked([high, low], 2 * (count + 1));
    this.eraseSectors(codes?.filter((_, i) => i % 2 === 1).map((byte, i) => (codes[2 * i]! << 8) | byte));
  }

  private *plainErase(): Routine {
    const count = yield;
    if (count === 0xff) {
      const whole = (yield) === 0x00;
      if (whole) this.chip.eraseAll();
      this.say(whole ? ACK : NACK);
      return;
    }
    this.eraseSectors(yield* this.checked([count], count + 1));
  }

  private *writeProtect(): Routine {
    const count = yield;
    const sectors = yield* this.checked([count], count + 1);
    if (!sectors) {
      this.say(NACK);
      return;
    }
    for (const sector of sectors) this.chip.writeProtected.add(sector);
    this.say(ACK);
    this.restart();
  }

  private writeUnprotect(): undefined {
    this.chip.writeProtected.clear();
    this.say(ACK);
    this.restart();
  }

  private readProtect(): undefined {
    this.chip.readProtected = true;
    this.say(ACK);
    this.restart();
  }

  /** Removing the protection erases the flash, so that nobody reads what was protected. */
  private readUnprotect(): undefined {
    this.chip.eraseAll();
    this.chip.readProtected = false;
    this.say(ACK);
    this.restart();
  }

  private eraseSectors(indices: readonly number[] | undefined): void {
    if (!indices?.every((index) => this.chip.hasSector(index))) {
      this.say(NACK);
      return;
    }
    for (const index of indices) this.chip.erase(index);
    this.say(ACK);
  }

  private *address(): Routine<number | undefined> {
    const bytes = yield* this.checked([], 4);
    return bytes?.reduce((address, byte) => address * 256 + byte, 0);
  }

  /** `length` bytes whose exclusive or with `start` and the checksum byte is zero, or undefined. */
  private *checked(start: readonly number[], length: number): Routine<number[] | undefined> {
    const bytes: number[] = [];
    let sum = start.reduce((a, b) => a ^ b, 0);
    for (let i = 0; i < length; i++) {
      const byte = yield;
      bytes.push(byte);
      sum ^= byte;
    }
    return sum === (yield) ? bytes : undefined;
  }

  /** Option bytes take effect by a system reset, after which the boot loader waits for a new sync byte. */
  private restart(): void {
    this.routine = this.start();
  }

  private stop(): void {
    this.running = false;
  }
}
