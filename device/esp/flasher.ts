import { flashDiffers } from './errors.ts';
import { type FlashCommands, md5Of } from './flash-commands.ts';
import { type FlashPart, type FlashPlan, type PlannedSector, runsOf } from './image-plan.ts';
import type { LoaderSession } from './loader-session.ts';
import { SECTOR_BYTES } from './protocol.ts';
import { RUN_SECTORS, type RunWriter } from './run-writer.ts';

export interface FlashProgress {
  readonly phase: 'connect' | 'compare' | 'erase' | 'write' | 'verify';
  /** Bytes of the phase, which starts again from 0 if the phase has to be repeated. */
  readonly done: number;
  readonly total: number;
}

const ROUNDS = 6;
const ERASED = 0xff;

const bytesOf = (sectors: readonly PlannedSector[]): number =>
  sectors.reduce((sum, { data }) => sum + data.length, 0);

/** Brings the flash to hold all parts, whatever it holds now, and proves it by the MD5 of each. */
export class Flasher {
  bytesWritten = 0;
  private readonly session: LoaderSession;
  private readonly commands: FlashCommands;
  private readonly writer: RunWriter;
  private readonly plan: FlashPlan;
  private readonly progress: (progress: FlashProgress) => void;

  constructor(
    session: LoaderSession,
    commands: FlashCommands,
    writer: RunWriter,
    plan: FlashPlan,
    progress: (progress: FlashProgress) => void,
  ) {
    this.session = session;
    this.commands = commands;
    this.writer = writer;
    this.plan = plan;
    this.progress = progress;
  }

  /** Compares, writes and verifies, again where verifying found a difference. `all` leaves nothing as it is. */
  async run(all: boolean): Promise<void> {
    let dirty = all ? [...this.plan.sectors] : await this.survey();
    let cleanFailures = 0;
    for (let round = 0; round < ROUNDS && dirty.length > 0; round++) {
      const before = this.session.retries;
      await this.write(dirty);
      dirty = await this.survey();
      // Without a single fault on the line it is the flash that does not keep what it is given.
      if (dirty.length > 0 && this.session.retries === before && ++cleanFailures === 2) break;
    }
    if (dirty.length > 0) throw flashDiffers(dirty[0]!.address, dirty[0]!.data.length);
    await this.verify();
  }

  /** The sectors that do not hold what they should. */
  private async survey(): Promise<PlannedSector[]> {
    const dirty: PlannedSector[] = [];
    let done = 0;
    for (const part of this.plan.parts) {
      if (!(await this.holds(part.address, part.data)))
        for (const run of runsOf(this.sectorsOf(part), RUN_SECTORS)) {
          dirty.push(...(await this.surveyRun(run)));
          done += bytesOf(run);
          this.progress({ phase: 'compare', done, total: this.plan.bytes });
        }
    }
    return dirty;
  }

  /** Single sectors are asked for only where a sample of three says that some may be right. */
  private async surveyRun(run: readonly PlannedSector[]): Promise<readonly PlannedSector[]> {
    const data = Buffer.concat(run.map((sector) => sector.data));
    if (await this.holds(run[0]!.address, data)) return [];
    const right = new Map<PlannedSector, boolean>();
    const look = async (sector: PlannedSector) => {
      if (!right.has(sector)) right.set(sector, await this.holds(sector.address, sector.data));
      return right.get(sector)!;
    };
    let some = false;
    for (const sample of [run[0]!, run[run.length >> 1]!, run.at(-1)!]) some = (await look(sample)) || some;
    if (!some) return run;
    const dirty: PlannedSector[] = [];
    for (const sector of run) if (!(await look(sector))) dirty.push(sector);
    return dirty;
  }

  /** The sector without which nothing starts goes first when erasing and last when writing. */
  private async write(dirty: readonly PlannedSector[]): Promise<void> {
    const { first } = this.plan;
    const others = dirty.filter((sector) => sector !== first);
    if (others.length > 0) await this.eraseFirst();
    const total = bytesOf(others) + (others.length > 0 || dirty.includes(first) ? first.data.length : 0);
    let done = 0;
    const write = async (run: readonly PlannedSector[]) => {
      await this.writer.write(run, (bytes) => this.progress({ phase: 'write', done: done + bytes, total }));
      done += bytesOf(run);
      this.bytesWritten += bytesOf(run);
    };
    for (const run of runsOf(others, RUN_SECTORS)) await write(run);
    if (others.length > 0) for (const sector of await this.wrongAmong(others)) await write([sector]);
    await write([first]);
  }

  private async eraseFirst(): Promise<void> {
    const { address } = this.plan.first;
    const erased = new Uint8Array(SECTOR_BYTES).fill(ERASED);
    this.progress({ phase: 'erase', done: 0, total: SECTOR_BYTES });
    for (let attempt = 0; attempt < ROUNDS && !(await this.holds(address, erased)); attempt++)
      await this.session.persist('erase the first sector', () => this.commands.erase(address, SECTOR_BYTES));
    this.progress({ phase: 'erase', done: SECTOR_BYTES, total: SECTOR_BYTES });
  }

  /** What was right when it was written may have suffered from an address that was damaged on its way later. */
  private async wrongAmong(sectors: readonly PlannedSector[]): Promise<PlannedSector[]> {
    const wrong: PlannedSector[] = [];
    for (const run of runsOf(sectors, Number.POSITIVE_INFINITY)) {
      const data = Buffer.concat(run.map((sector) => sector.data));
      if (await this.holds(run[0]!.address, data)) continue;
      for (const sector of run) if (!(await this.holds(sector.address, sector.data))) wrong.push(sector);
    }
    return wrong;
  }

  /** The last word: all of each part at once. */
  private async verify(): Promise<void> {
    let done = 0;
    for (const { address, data } of this.plan.parts) {
      if (!(await this.holds(address, data))) throw flashDiffers(address, data.length);
      done += data.length;
      this.progress({ phase: 'verify', done, total: this.plan.bytes });
    }
  }

  /** A range that seems wrong is asked for twice: one damaged question or answer decides nothing. */
  private async holds(address: number, data: Uint8Array): Promise<boolean> {
    const step = `compare ${data.length} bytes at 0x${address.toString(16)}`;
    const wanted = md5Of(data);
    const ask = () => this.session.persist(step, () => this.commands.md5(address, data.length));
    return (await ask()) === wanted || (await ask()) === wanted;
  }

  private sectorsOf({ address, data }: FlashPart): PlannedSector[] {
    const end = address + data.length;
    return this.plan.sectors.filter((sector) => sector.address >= address && sector.address < end);
  }
}
