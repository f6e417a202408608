import { TinymlError } from '../../common/tinyml-error.ts';
import { flashLocked, imageTooLarge, verifyFailed, wrongMemory } from '../errors.ts';
import { planImage, type Stm32Target } from '../stm32-bootloader/image-plan.ts';
import type { ControlPipe } from './control-pipe.ts';
import { DfuSession } from './dfu-session.ts';
import { type LayoutSector, parseMemoryLayout } from './memory-layout.ts';

export interface DfuProgress {
  readonly phase: 'compare' | 'erase' | 'write' | 'verify';
  readonly done: number;
  readonly total: number;
}

export interface DfuOptions {
  readonly target: Pick<Stm32Target, 'flashAddress' | 'flashBytes' | 'sectors' | 'erased' | 'programBytes'>;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: DfuProgress) => void;
}

export interface DfuReport {
  readonly imageBytes: number;
  readonly bytesWritten: number;
  readonly bytesKept: number;
  readonly sectorsErased: number;
  /** Always the whole image, read back and compared. */
  readonly bytesVerified: number;
  readonly retries: number;
  readonly elapsedMs: number;
}

const ATTEMPTS = 3;

/** A part of the image that lies in one sector and goes in one transfer. */
interface Piece {
  readonly address: number;
  readonly data: Uint8Array;
  readonly sector: LayoutSector;
}

/**
 * DFU has no chip id: the layout that the device tells must be that of the board's chip. The device's sectors.
 * Errors: E_DFU_LAYOUT, E_WRONG_CHIP.
 */
export function checkDfuLayout(
  device: string,
  layout: string,
  target: DfuOptions['target'],
): readonly LayoutSector[] {
  const sectors = parseMemoryLayout(layout, device);
  let address = target.flashAddress;
  for (const { count, bytes } of target.sectors) {
    for (let i = 0; i < count && address < target.flashAddress + target.flashBytes; i++, address += bytes) {
      const found = sectors.find((sector) => sector.address === address);
      if (!found || found.bytes !== bytes) throw wrongMemory(device, layout);
    }
  }
  return sectors;
}

function piecesOf(image: Uint8Array, base: number, sectors: readonly LayoutSector[], most: number): Piece[] {
  const pieces: Piece[] = [];
  for (const sector of sectors) {
    const end = Math.min(sector.address + sector.bytes, base + image.length);
    for (let address = sector.address; address < end; address += most) {
      const data = image.subarray(address - base, Math.min(address + most, end) - base);
      pieces.push({ address, data, sector });
    }
  }
  return pieces;
}

const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

/** One job: what is to be done, and what has been. */
class DfuJob {
  bytesWritten = 0;
  sectorsErased = 0;
  retries = 0;
  private readonly session: DfuSession;
  private readonly pieces: readonly Piece[];
  private readonly isErased: (bytes: Uint8Array) => boolean;
  private readonly progress: (progress: DfuProgress) => void;

  constructor(
    session: DfuSession,
    pieces: readonly Piece[],
    isErased: (bytes: Uint8Array) => boolean,
    progress: (progress: DfuProgress) => void,
  ) {
    this.session = session;
    this.pieces = pieces;
    this.isErased = isErased;
    this.progress = progress;
  }

  /** The vector table goes first and comes last, so that a partial image never starts. */
  async run(): Promise<void> {
    const erase = await this.survey();
    if (erase.size === 0) return;
    await this.each('erase', [...erase], async (sector) => {
      await this.persist(() => this.session.erase(sector.address));
      this.sectorsErased++;
    });
    const [first, ...rest] = this.pieces;
    await this.write(rest.filter(({ sector }) => erase.has(sector)));
    await this.verify(rest);
    await this.write([first!]);
    await this.verify([first!]);
  }

  start(address: number): Promise<void> {
    return this.persist(() => this.session.leave(address));
  }

  private async survey(): Promise<Set<LayoutSector>> {
    const different = new Set<LayoutSector>();
    await this.each('compare', this.pieces, async ({ address, data, sector }) => {
      if (!different.has(sector) && !same(await this.read(address, data.length), data)) different.add(sector);
    });
    // An old vector table would start a half-new image.
    return different.size > 0 ? new Set([this.pieces[0]!.sector, ...different]) : different;
  }

  private write(pieces: readonly Piece[]): Promise<void> {
    return this.each('write', pieces, async ({ address, data }) => {
      if (!this.isErased(data)) await this.persist(() => this.session.write(address, data));
      this.bytesWritten += data.length;
    });
  }

  private verify(pieces: readonly Piece[]): Promise<void> {
    return this.each('verify', pieces, async ({ address, data }) => {
      const found = await this.read(address, data.length);
      const at = data.findIndex((byte, i) => byte !== found[i]);
      if (at >= 0) throw verifyFailed(address + at, found[at]!, data[at]!);
    });
  }

  private read(address: number, length: number): Promise<Uint8Array> {
    return this.persist(() => this.session.read(address, length));
  }

  /** Repeats a step that the device refused, from its idle state. */
  private async persist<T>(step: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await step();
      } catch (error) {
        const again = error instanceof TinymlError && error.code === 'E_FLASH_REFUSED';
        if (!again || attempt === ATTEMPTS) throw error;
        this.retries++;
        await this.session.reset();
      }
    }
  }

  private async each<T extends { data: Uint8Array } | LayoutSector>(
    phase: DfuProgress['phase'],
    things: readonly T[],
    work: (thing: T) => Promise<void>,
  ): Promise<void> {
    const bytesOf = (thing: T) => ('data' in thing ? thing.data.length : thing.bytes);
    const total = things.reduce((sum, thing) => sum + bytesOf(thing), 0);
    let done = 0;
    for (const thing of things) {
      await work(thing);
      done += bytesOf(thing);
      this.progress({ phase, done, total });
    }
  }
}

/**
 * Writes an image to the start of an STM32's flash through its boot loader's USB (DfuSe: AN3156, UM0424), reads all of
 * it back and starts it. Sectors that hold the right bytes already stay as they are.
 * Errors, before anything is erased: E_IMAGE, E_IMAGE_TOO_LARGE, E_DFU_LAYOUT, E_WRONG_CHIP, E_FLASH_LOCKED,
 * E_READ_PROTECTED; later: E_DEVICE_LOST, E_FLASH_REFUSED, E_BOARD_TIMEOUT, E_VERIFY_FAILED, or the signal's reason.
 */
export async function flashDfu(
  pipe: ControlPipe,
  image: Uint8Array,
  options: DfuOptions,
): Promise<DfuReport> {
  const { target } = options;
  const started = pipe.clock.now();
  const plan = planImage(image, { chipId: 0, ...target });
  const layout = checkDfuLayout(pipe.name, pipe.memoryLayout, target);
  const end = target.flashAddress + plan.image.length;
  const sectors = layout.filter(({ address }) => address >= target.flashAddress && address < end);
  const last = sectors.at(-1)!;
  if (last.address + last.bytes < end) throw imageTooLarge(image.length, target.flashBytes);
  const locked = sectors.find(({ erasable, writable }) => !erasable || !writable);
  if (locked) throw flashLocked(pipe.name, locked.address);

  const session = new DfuSession(pipe, options.signal);
  await session.reset();
  const pieces = piecesOf(plan.image, target.flashAddress, sectors, pipe.transferBytes);
  const job = new DfuJob(session, pieces, plan.isErased, options.onProgress ?? (() => {}));
  await job.run();
  await job.start(target.flashAddress);
  return {
    imageBytes: image.length,
    bytesWritten: job.bytesWritten,
    bytesKept: Math.max(0, plan.image.length - job.bytesWritten),
    sectorsErased: job.sectorsErased,
    bytesVerified: plan.image.length,
    retries: job.retries,
    elapsedMs: pipe.clock.now() - started,
  };
}
