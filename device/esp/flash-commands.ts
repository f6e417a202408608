import { createHash } from 'node:crypto';
import { LoaderFault } from './loader-fault.ts';
import type { LoaderSession } from './loader-session.ts';
import { COMMAND, checksum, SECTOR_BYTES, words } from './protocol.ts';
import type { LoaderTimeouts } from './timeouts.ts';

const MIB = 1024 * 1024;
const STUB_MD5_BYTES = 16;
/** The ROM says it in hexadecimal digits. */
const ROM_MD5_BYTES = 32;

export const md5Of = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex');

/** What the loader does to the flash: single requests, as the ROM and as the stub want them. */
export class FlashCommands {
  private readonly session: LoaderSession;
  private readonly timeouts: LoaderTimeouts;
  /** The ESP32's ROM wants one parameter less. */
  private readonly shortBegin: boolean;

  constructor(session: LoaderSession, timeouts: LoaderTimeouts, shortBegin: boolean) {
    this.session = session;
    this.timeouts = timeouts;
    this.shortBegin = shortBegin;
  }

  get isStub(): boolean {
    return this.session.link.isStub;
  }

  /** The MD5 of a range of flash, in hexadecimal digits. */
  async md5(address: number, length: number): Promise<string> {
    const { isStub } = this;
    const { result } = await this.session.link.request(COMMAND.flashMd5, words(address, length, 0, 0), {
      resultBytes: isStub ? STUB_MD5_BYTES : ROM_MD5_BYTES,
      workMs: (length / MIB) * this.timeouts.md5PerMibMs + this.timeouts.eraseSectorMs,
    });
    const text = Buffer.from(result)
      .toString(isStub ? 'hex' : 'latin1')
      .toLowerCase();
    if (!/^[0-9a-f]{32}$/.test(text)) throw new LoaderFault('silence');
    return text;
  }

  /** Says that `size` bytes for `address` come, in blocks; the sectors are erased now or as they are reached. */
  async begin(address: number, size: number, blocks: number, blockBytes: number, compressed: boolean) {
    const short = this.shortBegin && !this.isStub;
    const parameters = [size, blocks, blockBytes, address, ...(short ? [] : [0])];
    const command = compressed ? COMMAND.deflateBegin : COMMAND.flashBegin;
    await this.session.link.request(command, words(...parameters), { workMs: this.eraseMs(size) });
  }

  async data(block: Uint8Array, sequence: number, compressed: boolean, workMs: number): Promise<void> {
    const command = compressed ? COMMAND.deflateData : COMMAND.flashData;
    const body = Buffer.concat([words(block.length, sequence, 0, 0), block]);
    await this.session.link.request(command, body, { sum: checksum(block), workMs });
  }

  /** Whole sectors. The ROM erases when it is told that something will be written. */
  async erase(address: number, length: number): Promise<void> {
    if (!this.isStub) {
      await this.begin(address, length, Math.ceil(length / 1024), 1024, false);
      return;
    }
    await this.session.link.request(COMMAND.eraseRegion, words(address, length), {
      workMs: this.eraseMs(length),
    });
  }

  async eraseChip(): Promise<void> {
    await this.session.link.request(COMMAND.eraseFlash, new Uint8Array(0), {
      workMs: this.timeouts.eraseChipMs,
    });
  }

  eraseMs(length: number): number {
    const sectors = Math.ceil(length / SECTOR_BYTES);
    return (
      this.timeouts.eraseSectorMs +
      Math.max(0, sectors - 1) * (SECTOR_BYTES / MIB) * this.timeouts.erasePerMibMs
    );
  }
}
