import { chipFacts } from '../../device/esp/chips.ts';
import { type SimulatedPeer, seededRandom } from '../../device/transport/simulated-link.ts';
import type { Signals } from '../../device/transport/transport.ts';
import { EspBoard, type EspBoardOptions } from '../../device/virtual/esp/esp-board.ts';
import type { VirtualEspChip } from '../../device/virtual/esp/esp-profile.ts';
import { NorFlash } from '../../device/virtual/esp/nor-flash.ts';

const MIB = 1024 * 1024;

/** Random bytes behind the header of an image for this chip, some of which compress. */
export function espImage(bytes: number, seed: number, chip: VirtualEspChip = 'esp32c3'): Uint8Array {
  const random = seededRandom(seed);
  const image = Uint8Array.from({ length: bytes }, (_, i) =>
    (i >> 10) % 4 === 3 ? i & 0x0f : Math.floor(random() * 256),
  );
  image[0] = 0xe9;
  image[12] = chipFacts[chip].chipId;
  image[13] = 0;
  return image;
}

export interface SimulatedEspOptions extends Partial<Pick<EspBoardOptions, 'security' | 'registers'>> {
  readonly chip?: VirtualEspChip;
  readonly flashBytes?: number;
}

/** A virtual ESP board without time: what it says waits until it is asked for. */
export class SimulatedEsp implements SimulatedPeer {
  readonly flash: NorFlash;
  readonly board: EspBoard;
  /** Times that the program in flash was started, and whether there was one. */
  readonly starts: boolean[] = [];
  private pending: Uint8Array[] = [];

  constructor(options: SimulatedEspOptions = {}) {
    const { chip = 'esp32c3', flashBytes = 4 * MIB, security, registers } = options;
    this.flash = new NorFlash(flashBytes);
    this.board = new EspBoard({
      chip,
      flash: this.flash,
      security,
      registers,
      enableDelayMs: 0,
      onOutput: (bytes) => this.pending.push(bytes),
      processor: {
        reset: () => this.starts.push(this.flash.bytes[chipFacts[chip].bootOffset] === 0xe9),
        halt() {},
        receive: () => true,
        onDrain: (call) => call(),
        close: async () => {},
      },
    });
  }

  receive(bytes: Uint8Array): Uint8Array {
    this.board.receive(bytes);
    return this.unasked();
  }

  setSignals(signals: Signals): void {
    this.board.setSignals(signals);
  }

  setBaud(baud: number): void {
    this.board.setBaud(baud);
  }

  unasked(): Uint8Array {
    const bytes = Buffer.concat(this.pending);
    this.pending = [];
    return bytes;
  }

  holds(address: number, data: Uint8Array): boolean {
    return Buffer.compare(this.flash.read(address, data.length), data) === 0;
  }

  /** As when its supply comes back. */
  powerUp(): void {
    this.board.setSignals({ dtr: false, rts: false });
    this.board.reset('flash');
  }
}
