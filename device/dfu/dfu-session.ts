import { deviceLost, dfuReadProtected, dfuRefused, dfuStuck } from '../errors.ts';
import { type ControlPipe, StallError } from './control-pipe.ts';

/** Requests of the DFU class (USB DFU 1.1, table 3.2). */
const request = { download: 1, upload: 2, getStatus: 3, clearStatus: 4, abort: 6 } as const;

/** States of the DFU class (USB DFU 1.1, section 6.1.2). */
export const dfuState = {
  idle: 2,
  downloadSync: 3,
  downloadBusy: 4,
  downloadIdle: 5,
  manifestSync: 6,
  manifest: 7,
  uploadIdle: 9,
  error: 10,
} as const;

/** Status codes that mean more than "refused" (USB DFU 1.1, section 6.1.2; AN3156, section 4.1). */
const status = { ok: 0, vendor: 0x0b } as const;
const statusNames: Readonly<Record<number, string>> = {
  1: 'errTARGET',
  2: 'errFILE',
  3: 'errWRITE',
  4: 'errERASE',
  5: 'errCHECK_ERASED',
  6: 'errPROG',
  7: 'errVERIFY',
  8: 'errADDRESS',
  9: 'errNOTDONE',
  10: 'errFIRMWARE',
  11: 'errVENDOR',
  12: 'errUSBR',
  13: 'errPOR',
  14: 'errUNKNOWN',
  15: 'errSTALLEDPKT',
};

/** Commands of DfuSe, sent as block 0 (AN3156, section 5). */
const command = { setAddress: 0x21, erase: 0x41 } as const;
/** Blocks 0 and 1 are not data; data block n lies at the address pointer + (n - 2) * transfer size. */
const firstDataBlock = 2;

const statusBytes = 6;
/** A device may ask for any pause between status requests; no flash operation of these chips needs more. */
const longestPauseMs = 5000;
const mostPolls = 200;
const clearAttempts = 8;

interface Status {
  readonly code: number;
  readonly pauseMs: number;
  readonly state: number;
}

/** One conversation with a DfuSe device (AN3156): each step ends in a known state or with an error that names the step. */
export class DfuSession {
  private readonly pipe: ControlPipe;
  private readonly signal: AbortSignal | undefined;

  constructor(pipe: ControlPipe, signal: AbortSignal | undefined) {
    this.pipe = pipe;
    this.signal = signal;
  }

  /** Brings the device to idle, whatever an earlier program left behind. */
  async reset(): Promise<void> {
    for (let attempt = 0; attempt < clearAttempts; attempt++) {
      const { state } = await this.status('answer');
      if (state === dfuState.idle) return;
      await this.pipe.send(
        state === dfuState.error ? request.clearStatus : request.abort,
        0,
        new Uint8Array(0),
      );
    }
    throw dfuStuck(this.pipe.name, 'become idle');
  }

  async erase(address: number): Promise<void> {
    await this.command(command.erase, address, `erase the sector at 0x${address.toString(16)}`);
  }

  /** Writes up to `transferBytes` bytes. */
  async write(address: number, data: Uint8Array): Promise<void> {
    const step = `write ${data.length} bytes at 0x${address.toString(16)}`;
    await this.command(command.setAddress, address, step);
    await this.download(firstDataBlock, data, step);
  }

  /** Reads up to `transferBytes` bytes. */
  async read(address: number, length: number): Promise<Uint8Array> {
    const step = `read ${length} bytes at 0x${address.toString(16)}`;
    await this.command(command.setAddress, address, step);
    await this.toIdle();
    const data = await this.guarded(step, () => this.pipe.receive(request.upload, firstDataBlock, length));
    await this.toIdle();
    if (data.length !== length) throw dfuRefused(this.pipe.name, step, `${data.length} bytes came`);
    return data;
  }

  /** Starts the program at an address: the device leaves the bus, which may look like an error here. */
  async leave(address: number): Promise<void> {
    await this.command(command.setAddress, address, 'start the image');
    try {
      await this.pipe.send(request.download, 0, new Uint8Array(0));
      await this.pipe.receive(request.getStatus, 0, statusBytes);
    } catch {
      this.signal?.throwIfAborted();
    }
  }

  private async toIdle(): Promise<void> {
    await this.pipe.send(request.abort, 0, new Uint8Array(0));
    const { state } = await this.status('become idle');
    if (state !== dfuState.idle) await this.reset();
  }

  private async command(code: number, address: number, step: string): Promise<void> {
    const bytes = new Uint8Array(5);
    bytes[0] = code;
    new DataView(bytes.buffer).setUint32(1, address, true);
    await this.download(0, bytes, step);
  }

  /** A download is done when the device says so: the first status request starts it, later ones ask after it. */
  private async download(block: number, data: Uint8Array, step: string): Promise<void> {
    await this.guarded(step, () => this.pipe.send(request.download, block, data));
    for (let poll = 0; poll < mostPolls; poll++) {
      const { code, pauseMs, state } = await this.status(step);
      if (state === dfuState.error || code !== status.ok) return this.fail(step, code);
      if (state === dfuState.downloadIdle) return;
      await this.pipe.clock.sleep(Math.min(pauseMs, longestPauseMs), this.signal);
    }
    throw dfuStuck(this.pipe.name, step);
  }

  private async guarded<T>(step: string, transfer: () => Promise<T>): Promise<T> {
    this.signal?.throwIfAborted();
    try {
      return await transfer();
    } catch (error) {
      if (!(error instanceof StallError)) throw error;
      const { code } = await this.status(step);
      return this.fail(step, code);
    }
  }

  private async status(step: string): Promise<Status> {
    this.signal?.throwIfAborted();
    let bytes: Uint8Array;
    try {
      bytes = await this.pipe.receive(request.getStatus, 0, statusBytes);
    } catch (error) {
      if (error instanceof StallError) throw dfuRefused(this.pipe.name, step, 'it does not tell its status');
      throw error;
    }
    if (bytes.length < statusBytes) throw deviceLost(this.pipe.name, `stopped answering (${step})`);
    return {
      code: bytes[0]!,
      pauseMs: bytes[1]! | (bytes[2]! << 8) | (bytes[3]! << 16),
      state: bytes[4]!,
    };
  }

  /** Leaves the error state, so that the next try finds an idle device, and reports. */
  private async fail(step: string, code: number): Promise<never> {
    await this.pipe.send(request.clearStatus, 0, new Uint8Array(0)).catch(() => {});
    if (code === status.vendor) throw dfuReadProtected(this.pipe.name);
    throw dfuRefused(this.pipe.name, step, statusNames[code] ?? `status ${code}`);
  }
}
