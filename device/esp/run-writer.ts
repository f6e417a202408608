import { deflateSync } from 'node:zlib';
import { flashLinkBad } from '../errors.ts';
import { flashDiffers } from './errors.ts';
import { type FlashCommands, md5Of } from './flash-commands.ts';
import type { PlannedSector } from './image-plan.ts';
import { isFault, type LoaderFault } from './loader-fault.ts';
import type { LoaderSession } from './loader-session.ts';
import { SECTOR_BYTES } from './protocol.ts';

const ERASED = 0xff;
/** Sectors that are written without looking in between, as long as the line is good. */
export const RUN_SECTORS = 16;
/** What the stub and the ROM take in one command. */
const STUB_BLOCK = 0x4000;
const ROM_BLOCK = 0x400;
/** Between the limits of what a bad line lets through whole and what is worth the commands around it. */
const SMALLEST_BLOCK = 128;
const CAREFUL_BLOCK = 1024;
const LARGEST_CAREFUL_BLOCK = 4096;
/** So many blocks in a row without a fault make the next ones larger. */
const GROW_AFTER = 12;
const SECTOR_ATTEMPTS = 40;
const BLOCK_ATTEMPTS = 30;
/** Without a fault on the line a wrong sector is the flash's doing; an address damaged on its way is rarer than that. */
const CLEAN_FAILURES = 4;
/** A run with more faults than this is on a bad line. */
const FEW_FAULTS = 2;
/** Compression has to save more than its own time. */
const WORTH_COMPRESSING = 0.95;

const isErased = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === ERASED);

/** Without the erased bytes at its end, which need no writing. */
function usedLength(bytes: Uint8Array): number {
  let length = bytes.length;
  while (length > 0 && bytes[length - 1] === ERASED) length--;
  return length;
}

function padded(bytes: Uint8Array, length: number): Uint8Array {
  const whole = new Uint8Array(length).fill(ERASED);
  whole.set(bytes.subarray(0, length));
  return whole;
}

/** Gets runs of sectors into flash: fast where the line is good, else in blocks that are repeated one by one. */
export class RunWriter {
  bytesSent = 0;
  private readonly session: LoaderSession;
  private readonly commands: FlashCommands;
  private readonly compress: boolean;
  private blockBytes = CAREFUL_BLOCK;
  private goodBlocks = 0;
  private rough = false;

  constructor(session: LoaderSession, commands: FlashCommands, compress: boolean) {
    this.session = session;
    this.commands = commands;
    this.compress = compress;
  }

  /** Writes neighboring sectors and compares their MD5. `done` is told how many bytes are right. */
  async write(run: readonly PlannedSector[], done: (bytes: number) => void): Promise<void> {
    const before = this.session.retries;
    if (this.rough || !(await this.writeFast(run, done))) {
      let bytes = 0;
      for (const sector of run) {
        await this.writeSector(sector);
        bytes += sector.data.length;
        done(bytes);
      }
    }
    this.rough = this.session.retries - before > FEW_FAULTS;
  }

  /** False at the first thing that is not as it should be. */
  private async writeFast(run: readonly PlannedSector[], done: (bytes: number) => void): Promise<boolean> {
    const data = Buffer.concat(run.map((sector) => sector.data));
    const address = run[0]!.address;
    try {
      if (!isErased(data)) await this.stream(address, data, done);
      else await this.commands.erase(address, run.length * SECTOR_BYTES);
      return (await this.commands.md5(address, data.length)) === md5Of(data);
    } catch (error) {
      if (!isFault(error)) throw error;
      await this.settle(error, `write at 0x${address.toString(16)}`);
      return false;
    }
  }

  /** For whom a loader that had to be started anew is as good as one that went on. */
  private async settle(fault: LoaderFault, step: string): Promise<void> {
    try {
      await this.note(fault, step);
    } catch (error) {
      if (!isFault(error)) throw error;
    }
  }

  private async stream(address: number, data: Uint8Array, done: (bytes: number) => void): Promise<void> {
    const { isStub } = this.commands;
    const blockBytes = isStub ? STUB_BLOCK : ROM_BLOCK;
    const packed = this.compress ? deflateSync(data, { level: 9 }) : data;
    const compressed = packed.length < WORTH_COMPRESSING * data.length;
    const bytes = compressed ? packed : padded(data, Math.ceil(data.length / 4) * 4);
    const blocks = Math.ceil(bytes.length / blockBytes);
    const size = compressed && isStub ? data.length : compressed ? roundUp(data.length) : bytes.length;
    await this.commands.begin(address, size, blocks, blockBytes, compressed);
    for (let sequence = 0; sequence < blocks; sequence++) {
      let block: Uint8Array = bytes.subarray(sequence * blockBytes, (sequence + 1) * blockBytes);
      if (!isStub && !compressed) block = padded(block, blockBytes);
      await this.commands.data(block, sequence, compressed, this.commands.eraseMs(data.length / 4));
      this.bytesSent += block.length;
      done(Math.floor((data.length * (sequence + 1)) / blocks));
    }
  }

  /** One sector until its MD5 is right. */
  private async writeSector(sector: PlannedSector): Promise<void> {
    const wanted = md5Of(sector.data);
    const step = `write ${sector.data.length} bytes at 0x${sector.address.toString(16)}`;
    let cleanFailures = 0;
    for (let attempt = 0; attempt < SECTOR_ATTEMPTS && cleanFailures < CLEAN_FAILURES; attempt++) {
      const before = this.session.retries;
      try {
        if (!(await this.writeBlocks(sector, step))) continue;
        const md5 = () => this.commands.md5(sector.address, sector.data.length);
        if ((await this.session.persist(step, md5, true)) === wanted) return;
        if (this.session.retries === before) cleanFailures++;
        this.session.retries++;
      } catch (error) {
        if (!isFault(error)) throw error;
      }
    }
    if (cleanFailures === CLEAN_FAILURES) throw flashDiffers(sector.address, sector.data.length);
    throw flashLinkBad(this.session.link.transport.name, step, this.session.retries);
  }

  /** False when the sector has to be begun anew. */
  private async writeBlocks(sector: PlannedSector, step: string): Promise<boolean> {
    const used = usedLength(sector.data);
    if (used === 0) {
      await this.session.persist(step, () => this.commands.erase(sector.address, SECTOR_BYTES));
      return true;
    }
    const size = Math.min(this.blockBytes, this.commands.isStub ? LARGEST_CAREFUL_BLOCK : ROM_BLOCK);
    const bytes = padded(sector.data, Math.ceil(used / size) * size);
    const blocks = bytes.length / size;
    const begin = () => this.commands.begin(sector.address, bytes.length, blocks, size, false);
    await this.session.persist(step, begin);
    for (let sequence = 0; sequence < blocks; sequence++) {
      const at = sequence * size;
      const block = bytes.subarray(at, at + size);
      if (!(await this.writeBlock(sector.address + at, block, sequence, step))) return false;
    }
    return true;
  }

  /**
   * One block. Each is put behind the one before, so one that may have arrived is not sent again until the flash has
   * told that it is not there. False when the flash holds neither the block nor nothing.
   */
  private async writeBlock(
    address: number,
    block: Uint8Array,
    sequence: number,
    step: string,
  ): Promise<boolean> {
    const workMs = sequence < 2 ? this.commands.eraseMs(SECTOR_BYTES) : 0;
    for (let attempt = 0; attempt < BLOCK_ATTEMPTS; attempt++) {
      try {
        await this.commands.data(block, sequence, false, workMs);
        this.succeeded();
        this.bytesSent += block.length;
        return true;
      } catch (error) {
        if (!isFault(error)) throw error;
        await this.note(error, step);
        if (error.arrivedDamaged) continue;
      }
      const found = await this.stateOf(address, block, step);
      if (found === 'written') return true;
      if (found === 'unclear') return false;
    }
    return false;
  }

  private async stateOf(
    address: number,
    block: Uint8Array,
    step: string,
  ): Promise<'written' | 'erased' | 'unclear'> {
    if (isErased(block)) return 'unclear';
    const md5 = await this.session.persist(step, () => this.commands.md5(address, block.length), true);
    if (md5 === md5Of(block)) return 'written';
    return md5 === md5Of(new Uint8Array(block.length).fill(ERASED)) ? 'erased' : 'unclear';
  }

  private async note(fault: LoaderFault, step: string): Promise<void> {
    this.goodBlocks = 0;
    this.blockBytes = Math.max(SMALLEST_BLOCK, this.blockBytes / 2);
    if (fault.kind === 'restarted') throw fault;
    await this.session.noteFault(fault, step);
  }

  private succeeded(): void {
    if (++this.goodBlocks < GROW_AFTER) return;
    this.goodBlocks = 0;
    this.blockBytes = Math.min(LARGEST_CAREFUL_BLOCK, 2 * this.blockBytes);
  }
}

/** What the ROM wants to be told of the size of compressed data. */
const roundUp = (length: number): number => Math.ceil(length / ROM_BLOCK) * ROM_BLOCK;
