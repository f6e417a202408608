import { type EspBoard, type EspChip, espFacts, isEsp } from './families/esp.ts';
import { fullSpeedHz, type Stm32Board, type Stm32Chip, stm32Facts } from './families/stm32.ts';
import type { WithMemories } from './memories.ts';
import type { Rv32VirtBoardFile, Rv32VirtChipFile } from './schema.ts';

export type Rv32VirtChip = WithMemories<Rv32VirtChipFile>;
export type Chip = Stm32Chip | Rv32VirtChip | EspChip;

/** A RISC-V core that there is in the emulator only. */
export interface Rv32VirtBoard extends Omit<Rv32VirtBoardFile, 'chip'> {
  readonly family: 'rv32-virt';
  readonly chip: Rv32VirtChip;
}

export type Board = Stm32Board | Rv32VirtBoard | EspBoard;

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
