import { type EspBoard, type EspChip, espFacts, isEsp } from './families/esp.ts';
import { fullSpeedHz, stm32Facts } from './families/stm32.ts';
import type { Rv32VirtBoardFile, Rv32VirtChipFile, Stm32BoardFile, Stm32ChipFile } from './schema.ts';

/** Memories of a chip, in bytes. */
interface Memories {
  /** Flash as it is erased: sectors in address order, sizes in bytes. */
  readonly flash: {
    readonly origin: number;
    readonly bytes: number;
    readonly sectors: readonly number[];
    /** The same as runs of one size; `first` is the number of a run's first sector, where it is not the next. */
    readonly runs: readonly { readonly count: number; readonly bytes: number; readonly first?: number }[];
  };
  /**
   * `use` is `data` for the one region that programs of ours take, and `arena` for those where a model's working
   * memory goes on when that one is full.
   */
  readonly ram: readonly {
    readonly name: string;
    readonly origin: number;
    readonly bytes: number;
    readonly use: 'data' | 'arena' | 'none';
  }[];
}

type WithMemories<File> = Omit<File, 'flash' | 'ram'> & Memories;

export type Stm32Chip = WithMemories<Stm32ChipFile>;
export type Rv32VirtChip = WithMemories<Rv32VirtChipFile>;
export type Chip = Stm32Chip | Rv32VirtChip | EspChip;

/** A board with an STM32, real or emulated. */
export interface Stm32Board extends Omit<Stm32BoardFile, 'chip'> {
  readonly family: 'stm32';
  readonly chip: Stm32Chip;
}

/** A RISC-V core that there is in the emulator only. */
export interface Rv32VirtBoard extends Omit<Rv32VirtBoardFile, 'chip'> {
  readonly family: 'rv32-virt';
  readonly chip: Rv32VirtChip;
}

export type Board = Stm32Board | Rv32VirtBoard | EspBoard;

const KIB = 1024;

export function memoriesOf({ flash, ram }: Pick<Stm32ChipFile, 'flash' | 'ram'>): Memories {
  const sectors = flash.sectors.flatMap(({ count, kib }) => new Array<number>(count).fill(kib * KIB));
  const runs = flash.sectors.map(({ count, kib, first }) => ({
    count,
    bytes: kib * KIB,
    ...(first === undefined ? {} : { first }),
  }));
  const bytes = sectors.reduce((sum, size) => sum + size, 0);
  return {
    flash: { origin: flash.origin, bytes, sectors, runs },
    ram: ram.map(({ name, origin, kib, use }) => ({ name, origin, bytes: kib * KIB, use })),
  };
}

/** Frequency of the core, with the board's oscillator. */
export function coreHz(board: Board): number {
  return board.family === 'stm32' ? fullSpeedHz(board) : board.chip.clock.sysclkHz;
}

/** RAM that a program's data, arena and stack share. */
export function dataRam(chip: Chip): Chip['ram'][number] {
  const region = chip.ram.find((candidate) => candidate.use === 'data');
  if (!region) throw new Error(`chip ${chip.id} has no RAM for data`);
  return region;
}

/** RAM for what of an arena has no room beside a program's data. QEMU's machines have the main memory only. */
export function arenaRam({ chip, emulator }: Board): Chip['ram'] {
  return emulator ? [] : chip.ram.filter(({ use }) => use === 'arena');
}

function rv32VirtFacts({ chip, emulator }: Rv32VirtBoard) {
  return { family: chip.family, cpu: chip.cpu, clockHz: chip.clock.sysclkHz, tickHz: emulator.tickHz };
}

/** The facts that the firmware is rendered from (`BoardFacts` of firmware-templates/render.ts). */
export function firmwareFacts(board: Board) {
  const { flash } = board.chip;
  const ram = dataRam(board.chip);
  const memories = {
    id: board.id,
    flash: { origin: flash.origin, bytes: flash.bytes },
    ram: { origin: ram.origin, bytes: ram.bytes },
    arenaRam: arenaRam(board).map(({ name, origin, bytes }) => ({ name, origin, bytes })),
  };
  if (isEsp(board)) return { ...memories, ...espFacts(board) };
  return board.family === 'stm32'
    ? { ...memories, ...stm32Facts(board) }
    : { ...memories, ...rv32VirtFacts(board) };
}
