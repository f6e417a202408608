import { type EspBoard, type EspChip, espFacts, isEsp } from './families/esp.ts';
import type { Rv32VirtBoardFile, Rv32VirtChipFile, Stm32f4BoardFile, Stm32f4ChipFile } from './schema.ts';

/** Memories of a chip, in bytes. */
interface Memories {
  /** Flash as it is erased: sectors in address order, sizes in bytes. */
  readonly flash: { readonly origin: number; readonly bytes: number; readonly sectors: readonly number[] };
  /** `use` is `data` for the one region that programs of ours take. */
  readonly ram: readonly {
    readonly name: string;
    readonly origin: number;
    readonly bytes: number;
    readonly use: 'data' | 'none';
  }[];
}

type WithMemories<File> = Omit<File, 'flash' | 'ram'> & Memories;

export type Stm32f4Chip = WithMemories<Stm32f4ChipFile>;
export type Rv32VirtChip = WithMemories<Rv32VirtChipFile>;
export type Chip = Stm32f4Chip | Rv32VirtChip | EspChip;

/** A board with an STM32F4, real or emulated. */
export interface Stm32f4Board extends Omit<Stm32f4BoardFile, 'chip'> {
  readonly family: 'stm32f4';
  readonly chip: Stm32f4Chip;
}

/** A RISC-V core that there is in the emulator only. */
export interface Rv32VirtBoard extends Omit<Rv32VirtBoardFile, 'chip'> {
  readonly family: 'rv32-virt';
  readonly chip: Rv32VirtChip;
}

export type Board = Stm32f4Board | Rv32VirtBoard | EspBoard;

const KIB = 1024;

export function memoriesOf({ flash, ram }: Pick<Stm32f4ChipFile, 'flash' | 'ram'>): Memories {
  const sectors = flash.sectors.flatMap(({ count, kib }) => new Array<number>(count).fill(kib * KIB));
  return {
    flash: { origin: flash.origin, bytes: sectors.reduce((sum, bytes) => sum + bytes, 0), sectors },
    ram: ram.map(({ name, origin, kib, use }) => ({ name, origin, bytes: kib * KIB, use })),
  };
}

/** `PA9` as port 0, pin 9. */
export function pinOf(name: string): { port: number; pin: number } {
  return { port: name.charCodeAt(1) - 'A'.charCodeAt(0), pin: Number(name.slice(2)) };
}

/** RAM that a program's data, arena and stack share. */
export function dataRam(chip: Chip): Chip['ram'][number] {
  const region = chip.ram.find((candidate) => candidate.use === 'data');
  if (!region) throw new Error(`chip ${chip.id} has no RAM for data`);
  return region;
}

function stm32f4Facts({ chip, serial, clock, emulator, led }: Stm32f4Board) {
  return {
    family: chip.family,
    cpu: chip.cpu,
    clock: {
      ...chip.clock,
      hseHz: clock.source === 'internal' ? 0 : clock.hz,
      hseBypass: clock.source === 'bypass',
    },
    uart: {
      name: serial.peripheral,
      tx: pinOf(serial.tx),
      rx: pinOf(serial.rx),
      alternate: chip.uarts[serial.peripheral]?.alternate ?? 0,
      baud: serial.baud,
    },
    led: led && { ...pinOf(led.pin), activeLow: led.activeLow },
    counter: emulator ? ('instructions' as const) : ('cycles' as const),
    tickHz: emulator?.tickHz,
  };
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
  };
  if (isEsp(board)) return { ...memories, ...espFacts(board) };
  return board.family === 'stm32f4'
    ? { ...memories, ...stm32f4Facts(board) }
    : { ...memories, ...rv32VirtFacts(board) };
}
