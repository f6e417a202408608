import type { Clock } from '../../device/clock.ts';
import { openUsbPipe, type UsbDevice } from '../../device/dfu/usb-pipe.ts';
import { EmulatedChip } from '../../device/virtual/emulated-chip.ts';
import { f405 } from './simulated-stm32.ts';

/** States of the DFU class that the device goes through (USB DFU 1.1, section 6.1.2). */
const IDLE = 2;
const SYNC = 3;
const BUSY = 4;
const DOWNLOAD_IDLE = 5;
const MANIFEST_SYNC = 6;
const MANIFEST = 7;
const UPLOAD_IDLE = 9;
const ERROR = 10;

const F405_LAYOUT = '@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg';

/** What the device is asked to do next, and may do wrong. */
export type DfuStep = 'erase' | 'write' | 'read' | 'address' | 'status';

export interface DfuHabits {
  readonly layout?: string;
  readonly readProtected?: boolean;
  /** Told each step before it is done; what it returns happens instead. */
  readonly fault?: (
    step: DfuStep,
    count: number,
  ) => 'stall' | 'error' | 'short' | 'drop' | 'vanish' | undefined;
  /** State it is found in. */
  readonly state?: number;
  /** Never comes out of `dfuDNBUSY`. */
  readonly stuck?: boolean;
}

class Clockwork implements Clock {
  private time = 0;
  now(): number {
    return this.time;
  }
  async sleep(ms: number): Promise<void> {
    this.time += ms;
  }
}

/**
 * An STM32F405 in DFU mode, as a WebUSB device, with the state machine of USB DFU 1.1, figure A.1, and the commands of
 * AN3156. It is strict: a request that does not belong into its state is stalled.
 */
export class SimulatedDfu implements UsbDevice {
  readonly vendorId = 0x0483;
  readonly productId = 0xdf11;
  readonly serialNumber = '123456789ABC';
  readonly chip = new EmulatedChip({ flashBytes: f405.flashBytes, sramBytes: 128 * 1024 });
  readonly clock = new Clockwork();
  /** Address at which the program was started, if it was. */
  started: number | undefined;
  private readonly habits: DfuHabits;
  private state: number;
  private status = 0;
  private pointer = 0x08000000;
  private pending: (() => void) | undefined;
  private gone = false;
  private readonly counts = new Map<DfuStep, number>();

  constructor(habits: DfuHabits = {}) {
    this.habits = habits;
    this.state = habits.state ?? IDLE;
  }

  get configurations() {
    const flash = {
      alternateSetting: 0,
      interfaceClass: 0xfe,
      interfaceSubclass: 1,
      interfaceName: this.habits.layout ?? F405_LAYOUT,
    };
    return [{ configurationValue: 1, interfaces: [{ interfaceNumber: 0, alternates: [flash] }] }];
  }

  pipe = () => openUsbPipe(this, this.clock);
  async open(): Promise<void> {}
  async close(): Promise<void> {}
  async selectConfiguration(): Promise<void> {}
  async claimInterface(): Promise<void> {}
  async selectAlternateInterface(): Promise<void> {}

  holds(image: Uint8Array): boolean {
    return Buffer.compare(this.chip.flash.subarray(0, image.length), image) === 0;
  }

  async controlTransferIn(
    { requestType, request, value }: { requestType: string; request: number; value: number },
    length: number,
  ) {
    if (this.gone) throw new Error('LIBUSB_ERROR_NO_DEVICE');
    // Configuration, interface and DFU functional descriptors; transfers of 2048 bytes.
    if (requestType === 'standard')
      return ok([
        9, 2, 27, 0, 1, 1, 0, 0xc0, 50, 9, 4, 0, 0, 0, 0xfe, 1, 2, 4, 9, 0x21, 0x0b, 255, 0, 0, 8, 0x1a, 1,
      ]);
    if (request === 3) return this.getStatus();
    if (request === 2) return this.upload(value, length);
    return this.stall();
  }

  async controlTransferOut({ request, value }: { request: number; value: number }, data: Uint8Array) {
    if (this.gone) throw new Error('LIBUSB_ERROR_NO_DEVICE');
    if (request === 1) return this.download(value, data);
    if (request === 4 && this.state === ERROR) return this.to(IDLE);
    if (request === 6 && this.state !== ERROR) return this.to(IDLE);
    return this.stall();
  }

  private to(state: number) {
    if (state === IDLE) this.status = 0;
    this.state = state;
    return { status: 'ok' };
  }

  private stall() {
    return { status: 'stall' };
  }

  private fail(status: number) {
    this.status = status;
    this.state = ERROR;
    return this.stall();
  }

  private faultAt(step: DfuStep) {
    const count = this.counts.get(step) ?? 0;
    this.counts.set(step, count + 1);
    const fault = this.habits.fault?.(step, count);
    if (fault === 'vanish') this.gone = true;
    return fault;
  }

  private getStatus() {
    const fault = this.faultAt('status');
    if (fault === 'stall') return this.stall();
    if (fault === 'vanish') throw new Error('LIBUSB_ERROR_NO_DEVICE');
    if (fault === 'short') return ok([0, 0]);
    let pause = 0;
    if (this.state === SYNC) {
      this.state = BUSY;
      pause = 100;
    } else if (this.state === BUSY && !this.habits.stuck) {
      this.state = DOWNLOAD_IDLE;
      this.pending?.();
      this.pending = undefined;
    } else if (this.state === MANIFEST_SYNC) {
      this.state = MANIFEST;
      this.started = this.pointer;
      this.gone = true;
    }
    return ok([this.status, pause, 0, 0, this.state, 0]);
  }

  private download(block: number, data: Uint8Array) {
    if (this.state !== IDLE && this.state !== DOWNLOAD_IDLE) return this.fail(0x0f);
    if (data.length === 0) return this.to(MANIFEST_SYNC);
    if (this.habits.readProtected) return this.fail(0x0b);
    if (block === 0) return this.command(data);
    const fault = this.faultAt('write');
    if (fault === 'stall' || fault === 'error') return this.fail(0x03);
    const address = this.pointer + (block - 2) * 2048;
    if (fault !== 'drop') this.pending = () => this.chip.write(address, data);
    return this.to(SYNC);
  }

  private command(data: Uint8Array) {
    const address = data.length === 5 ? Buffer.from(data).readUInt32LE(1) : undefined;
    if (address === undefined) return this.fail(0x0f);
    if (data[0] === 0x21) {
      if (this.faultAt('address') === 'stall') return this.fail(0x08);
      this.pending = () => {
        this.pointer = address;
      };
      return this.to(SYNC);
    }
    if (data[0] !== 0x41) return this.fail(0x0f);
    const fault = this.faultAt('erase');
    if (fault === 'stall' || fault === 'error') return this.fail(0x04);
    const sector = this.chip.sectors.find((one) => one.address === address);
    if (!sector) return this.fail(0x08);
    if (fault !== 'drop') this.pending = () => this.chip.erase(sector.index);
    return this.to(SYNC);
  }

  private upload(block: number, length: number) {
    if (this.state !== IDLE && this.state !== UPLOAD_IDLE) return this.fail(0x0f);
    if (this.habits.readProtected) return this.fail(0x0b);
    const fault = this.faultAt('read');
    if (fault === 'stall') return this.fail(0x0e);
    if (fault === 'vanish') throw new Error('LIBUSB_ERROR_NO_DEVICE');
    const bytes = this.chip.read(this.pointer + (block - 2) * 2048, length);
    if (!bytes) return this.fail(0x08);
    this.state = UPLOAD_IDLE;
    return ok(fault === 'short' ? bytes.subarray(0, length / 2) : bytes);
  }
}

function ok(bytes: ArrayLike<number>) {
  const copy = Uint8Array.from(bytes);
  return { status: 'ok', data: new DataView(copy.buffer) };
}
