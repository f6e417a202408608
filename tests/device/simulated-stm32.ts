import { f405Sectors } from '../../device/sectors.ts';
import type { Stm32Target } from '../../device/stm32-bootloader/image-plan.ts';
import { type SimulatedPeer, seededRandom } from '../../device/transport/simulated-link.ts';
import type { Signals } from '../../device/transport/transport.ts';
import { BootloaderServer, type BootloaderServerOptions } from '../../device/virtual/bootloader-server.ts';
import { EmulatedChip } from '../../device/virtual/emulated-chip.ts';

export const f405: Stm32Target = {
  chipId: 0x413,
  flashAddress: 0x08000000,
  flashBytes: 1024 * 1024,
  sectors: f405Sectors,
};

/** Random bytes behind a vector table that a chip would accept. */
export function imageOf(bytes: number, seed: number): Uint8Array {
  const random = seededRandom(seed);
  const image = Uint8Array.from({ length: bytes }, () => Math.floor(random() * 256));
  const view = new DataView(image.buffer);
  view.setUint32(0, 0x20020000, true);
  view.setUint32(4, 0x08000009, true);
  return image;
}

/** A chip with its boot loader, wired as by default: DTR holds it in reset, RTS released raises BOOT0. */
export class SimulatedStm32 implements SimulatedPeer {
  readonly chip = new EmulatedChip({ flashBytes: f405.flashBytes, sramBytes: 128 * 1024 });
  mode: 'held' | 'bootloader' | 'flash';
  private readonly server: BootloaderServer;
  private line: Signals = { dtr: false, rts: true };

  constructor(options: Partial<BootloaderServerOptions> = {}, mode: SimulatedStm32['mode'] = 'flash') {
    this.mode = mode;
    this.server = new BootloaderServer(this.chip, {
      chipId: 0x413,
      ...options,
      onGo: () => {
        this.mode = 'flash';
      },
    });
  }

  receive(bytes: Uint8Array): Uint8Array {
    return this.mode === 'bootloader' ? this.server.receive(bytes) : new Uint8Array(0);
  }

  setSignals(signals: Signals): void {
    if (signals.dtr) this.mode = 'held';
    else if (this.line.dtr) this.restart(signals.rts ? 'flash' : 'bootloader');
    this.line = signals;
  }

  /** As by the supply: whatever the boot loader was doing is gone. */
  restart(mode: 'bootloader' | 'flash'): void {
    this.mode = mode;
    this.server.reset();
  }

  holds(image: Uint8Array): boolean {
    return Buffer.compare(this.chip.flash.subarray(0, image.length), image) === 0;
  }

  /** Whether a reset into flash would start anything. */
  get boots(): boolean {
    return !this.chip.blank;
  }
}
