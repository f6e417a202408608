import { chipFacts, type WatchdogRegisters } from '../../esp/chips.ts';
import type { EspProfile } from './esp-profile.ts';

/** Commands of serial NOR flash chips (JEDEC). */
const READ_ID = 0x9f;
const READ_STATUS = 0x05;
const READ_SFDP = 0x5a;

/** Bit of the controller's command register that starts a transaction and falls when it is over. */
const USER_COMMAND = 1 << 18;
const WATCHDOG_ENABLED = 0x8000_0000;

/** Winbond, serial NOR; the third byte of the id is the power of two of the size. */
const MANUFACTURER = 0xef;
const KIND = 0x40;

function transaction(opcode: number, flashBytes: number): number {
  if (opcode === READ_ID) return MANUFACTURER | (KIND << 8) | (Math.log2(flashBytes) << 16);
  // Not busy, nothing protected.
  if (opcode === READ_STATUS) return 0;
  // The signature of the table of parameters, "SFDP".
  if (opcode === READ_SFDP) return 0x50444653;
  return 0;
}

export interface RegisterOptions {
  readonly flashBytes: number;
  /** Values that a test wants to be read, such as those of fuses. */
  readonly overrides?: ReadonlyMap<number, number> | undefined;
  /** The watchdog was armed, so that the chip will restart. */
  onWatchdog(): void;
}

/** The registers that flashers touch: identity, fuses, the flash controller, the watchdog. All others keep what is written. */
export class Registers {
  private readonly values: Map<number, number>;
  private readonly profile: EspProfile;
  private readonly options: RegisterOptions;

  constructor(profile: EspProfile, options: RegisterOptions) {
    this.profile = profile;
    this.options = options;
    this.values = new Map([...profile.registers, ...(options.overrides ?? [])]);
  }

  read(address: number): number {
    return this.values.get(address) ?? 0;
  }

  write(address: number, value: number, mask: number): void {
    const next = ((value & mask) | (this.read(address) & ~mask)) >>> 0;
    this.values.set(address, next);
    const facts = chipFacts[this.profile.chip];
    if (address === facts.spi.base && (next & USER_COMMAND) !== 0) this.transact();
    if (facts.watchdog) this.watch(facts.watchdog, address, next);
  }

  private transact(): void {
    const { base, user2, data } = chipFacts[this.profile.chip].spi;
    const opcode = this.read(base + user2) & 0xff;
    this.values.set(base + data, transaction(opcode, this.options.flashBytes));
    this.values.set(base, 0);
  }

  /** Its registers can be changed only after the key was written. */
  private watch({ config0, protect, key }: WatchdogRegisters, address: number, value: number): void {
    if (address !== config0) return;
    if (this.read(protect) === key && (value & WATCHDOG_ENABLED) !== 0) this.options.onWatchdog();
  }
}
