import { verifyFailed } from '../errors.ts';
import type { Sector } from '../sectors.ts';
import type { BootloaderSession } from './bootloader-session.ts';
import type { Block, ImagePlan } from './image-plan.ts';
import { LinkFault } from './link-fault.ts';

export interface FlashProgress {
  readonly phase: 'connect' | 'compare' | 'erase' | 'write' | 'verify';
  /** Bytes of the phase, which starts again from 0 if the phase has to be repeated. */
  readonly done: number;
  readonly total: number;
}

const ROUNDS = 5;
const READS_TO_AGREE = 8;
const SAMPLE_BYTES = 16;
const SECTOR_ATTEMPTS = 8;
/** A link is rough from this many retries on, if there is one in this many blocks. */
const ROUGH_RETRIES = 8;
const ROUGH_BLOCKS = 8;
/**
 * Bytes of a write on a rough link. Two damaged bits in the same place of two bytes get past the checksum, and then
 * the whole sector has to be written anew; shorter writes make that rarer by the square of their length.
 */
const ROUGH_BYTES = 64;
/** Small pages are erased several with one command, as much as one sector of the larger kind. */
const ERASE_BYTES = 16_384;
const ERASE_SECTORS = 32;

/** What the flash holds where a block of the image belongs. */
type BlockState = 'same' | 'erased' | 'different';

interface Survey {
  readonly toErase: readonly Sector[];
  readonly toWrite: readonly Block[];
}

/** Brings the flash to hold an image, whatever it holds now, and proves it by reading everything back. */
export class Flasher {
  bytesWritten = 0;
  sectorsErased = 0;
  private blocksWritten = 0;
  private readonly session: BootloaderSession;
  private readonly plan: ImagePlan;
  private readonly eraseCommand: number;
  private readonly progress: (progress: FlashProgress) => void;

  constructor(
    session: BootloaderSession,
    plan: ImagePlan,
    eraseCommand: number,
    progress: (progress: FlashProgress) => void,
  ) {
    this.session = session;
    this.plan = plan;
    this.eraseCommand = eraseCommand;
    this.progress = progress;
  }

  /** Compares, erases, writes and verifies, again where verifying found a difference. */
  async run(): Promise<void> {
    let suspects: readonly Block[] = [];
    let cleanFailures = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const retriesBefore = this.session.retries;
      suspects = await this.round(suspects);
      if (suspects.length === 0) return;
      // Without a single fault on the link it is the chip that does not keep what it acknowledged.
      if (this.session.retries === retriesBefore && ++cleanFailures === 2) break;
    }
    await this.failVerify(suspects[0]!);
  }

  /** The blocks that do not read back as they should; none is success. */
  private async round(suspects: readonly Block[]): Promise<readonly Block[]> {
    const { toErase, toWrite } = await this.survey(new Set(suspects.map((block) => block.sector)));
    const [first, ...rest] = this.plan.blocks;
    await this.erase(toErase);
    await this.write(toWrite.filter((block) => block !== first));
    // The vector table comes last, when all else is known to be right: a partial image never starts.
    const wrong = await this.verify(rest);
    if (wrong.length > 0) return wrong;
    const retriesBefore = this.session.retries;
    if (toWrite.includes(first!)) await this.write([first!]);
    // A fault during the last write may have sent it elsewhere: then nothing verified before it counts.
    return this.verify(this.session.retries === retriesBefore ? [first!] : this.plan.blocks);
  }

  /** What must be erased and written; what already holds the right bytes is left alone. */
  private async survey(suspects: ReadonlySet<Sector>): Promise<Survey> {
    const states = new Map<Block, BlockState>();
    for (const sector of this.plan.sectors) {
      const blocks = this.plan.blocks.filter((block) => block.sector === sector);
      if (suspects.has(sector)) for (const block of blocks) states.set(block, 'different');
      else await this.surveySector(blocks, states);
    }
    const toErase = new Set<Sector>();
    for (const [block, state] of states) if (state === 'different') toErase.add(block.sector);
    const unchanged = [...states.values()].every((state) => state === 'same');
    // An old vector table would start a half-new image.
    if (!unchanged && states.get(this.plan.blocks[0]!) === 'same') toErase.add(this.plan.sectors[0]!);
    return {
      toErase: this.plan.sectors.filter((sector) => toErase.has(sector)),
      toWrite: this.plan.blocks.filter((block) => toErase.has(block.sector) || states.get(block) !== 'same'),
    };
  }

  /**
   * One difference settles a sector. Writing goes upwards, so a sector whose end is erased is erased from its first
   * erased block on; were that wrong, verifying would show it.
   */
  private async surveySector(blocks: readonly Block[], states: Map<Block, BlockState>): Promise<void> {
    const first = this.plan.blocks[0];
    const last = blocks.at(-1)!;
    states.set(last, await this.stateOf(last));
    let rest: BlockState | undefined = states.get(last) === 'different' ? 'different' : undefined;
    for (const block of blocks) {
      const state: BlockState = rest ?? states.get(block) ?? (await this.stateOf(block));
      states.set(block, state);
      if (state === 'different') rest = state;
      if (state === 'erased' && states.get(last) === 'erased' && block !== first) rest = state;
    }
    this.progress({
      phase: 'compare',
      done: last.address + last.data.length - first!.address,
      total: this.plan.image.length,
    });
  }

  /** Looks at the end of a block only, which is written last; the vector table and blocks that end erased in full. */
  private async stateOf(block: Block): Promise<BlockState> {
    const tail = block.data.subarray(-SAMPLE_BYTES);
    const whole = block === this.plan.blocks[0] || this.plan.isErased(tail);
    const wanted = whole ? block.data : tail;
    const address = block.address + block.data.length - wanted.length;
    const found = await this.readAgreed(address, wanted);
    if (Buffer.compare(found, wanted) === 0) return 'same';
    return this.plan.isErased(found) ? 'erased' : 'different';
  }

  private async erase(sectors: readonly Sector[]): Promise<void> {
    const total = sectors.reduce((sum, sector) => sum + sector.bytes, 0);
    let done = 0;
    for (const group of eraseGroups(sectors)) {
      const bytes = group.reduce((sum, sector) => sum + sector.bytes, 0);
      const numbers = group.map(({ index }) => index);
      const step =
        group.length === 1
          ? `erase sector ${numbers[0]}`
          : `erase sectors ${numbers[0]} to ${numbers.at(-1)}`;
      await this.session.persist(step, () => this.session.link.erase(this.eraseCommand, numbers, bytes));
      this.sectorsErased += group.length;
      done += bytes;
      this.progress({ phase: 'erase', done, total });
    }
  }

  private async write(blocks: readonly Block[]): Promise<void> {
    const total = blocks.reduce((sum, block) => sum + block.data.length, 0);
    let done = 0;
    for (const sector of new Set(blocks.map((block) => block.sector))) {
      const ours = blocks.filter((block) => block.sector === sector);
      await this.writeSector(sector, ours, (bytes) =>
        this.progress({ phase: 'write', done: done + bytes, total }),
      );
      done += ours.reduce((sum, block) => sum + block.data.length, 0);
    }
  }

  /**
   * On a rough link a write can be acknowledged and wrong: two damaged bytes may leave the checksum as it was. There
   * each block is looked at while little has to be done again.
   */
  private async writeSector(
    sector: Sector,
    blocks: readonly Block[],
    done: (bytes: number) => void,
  ): Promise<void> {
    let left = blocks;
    for (let attempt = 0; attempt < SECTOR_ATTEMPTS; attempt++) {
      const spoilt = await this.writeBlocks(left, done);
      if (!spoilt) return;
      await this.erase([sector]);
      left = this.plan.blocks.filter((block) => block.sector === sector && block !== this.plan.blocks[0]);
      if (spoilt === this.plan.blocks[0]) left = [spoilt, ...left];
    }
  }

  /** The first block that cannot be put right without erasing its sector, if there is one. */
  private async writeBlocks(
    blocks: readonly Block[],
    done: (bytes: number) => void,
  ): Promise<Block | undefined> {
    let bytes = 0;
    for (const block of blocks) {
      if (!this.plan.isErased(block.data)) {
        await this.writeBlock(block);
        if (this.rough && (await this.verify([block], () => {})).length > 0) return block;
      }
      bytes += block.data.length;
      done(bytes);
    }
    return undefined;
  }

  private async writeBlock(block: Block): Promise<void> {
    const step = this.rough ? ROUGH_BYTES : block.data.length;
    for (let at = 0; at < block.data.length; at += step) {
      await this.writePiece(block.address + at, block.data.subarray(at, at + step));
    }
    this.blocksWritten++;
    this.bytesWritten += block.data.length;
  }

  private async writePiece(address: number, data: Uint8Array): Promise<void> {
    const { link } = this.session;
    let refused = 0;
    await this.session.persist(`write ${data.length} bytes at 0x${address.toString(16)}`, async () => {
      // Some chips refuse to write again what they hold already, after its acknowledgement was lost.
      if (refused > 1 && Buffer.compare(await link.read(address, data.length), data) === 0) return;
      try {
        await link.write(address, data);
      } catch (error) {
        if (error instanceof LinkFault && error.kind === 'refused' && error.stage === 'data') refused++;
        throw error;
      }
    });
  }

  /** Whether so many exchanges fail that waiting for the final verification would cost more than looking at once. */
  private get rough(): boolean {
    return this.session.retries >= ROUGH_RETRIES && this.session.retries * ROUGH_BLOCKS > this.blocksWritten;
  }

  /** The blocks that do not read back as they should. */
  private async verify(blocks: readonly Block[], report = this.progress): Promise<Block[]> {
    const total = blocks.reduce((sum, block) => sum + block.data.length, 0);
    const wrong: Block[] = [];
    let done = 0;
    for (const block of blocks) {
      const found = await this.readAgreed(block.address, block.data);
      if (Buffer.compare(found, block.data) !== 0) wrong.push(block);
      done += block.data.length;
      report({ phase: 'verify', done, total });
    }
    return wrong;
  }

  /**
   * What the flash holds. Answers carry no checksum, so anything but the wanted bytes counts only when it was read
   * twice alike, and no byte followed that would show the answer to be out of step.
   */
  private async readAgreed(address: number, wanted: Uint8Array): Promise<Uint8Array> {
    const { link } = this.session;
    const step = `read ${wanted.length} bytes at 0x${address.toString(16)}`;
    const seen: Uint8Array[] = [];
    for (let reads = 0; reads < READS_TO_AGREE; reads++) {
      const found = await this.session.persist(step, () => link.read(address, wanted.length));
      if (Buffer.compare(found, wanted) === 0) return found;
      const outOfStep = await link.hearsMore();
      if (!outOfStep && seen.some((other) => Buffer.compare(other, found) === 0)) return found;
      if (!outOfStep) seen.push(found);
      if (reads > 0) this.session.retries++;
    }
    return seen.at(-1) ?? wanted.map((byte) => ~byte);
  }

  private async failVerify(block: Block): Promise<never> {
    const found = await this.readAgreed(block.address, block.data);
    const at = Math.max(
      0,
      block.data.findIndex((byte, i) => byte !== found[i]),
    );
    throw verifyFailed(block.address + at, found[at]!, block.data[at]!);
  }
}

/** Neighbors that are erased with one command. */
function eraseGroups(sectors: readonly Sector[]): Sector[][] {
  const groups: Sector[][] = [];
  let bytes = 0;
  for (const sector of sectors) {
    const group = groups.at(-1);
    if (group && bytes + sector.bytes <= ERASE_BYTES && group.length < ERASE_SECTORS) group.push(sector);
    else {
      groups.push([sector]);
      bytes = 0;
    }
    bytes += sector.bytes;
  }
  return groups;
}
