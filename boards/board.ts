import type { BoardFile, ChipFile } from './schema.ts';

export interface Chip {
  readonly id: string;
  readonly name: string;
  readonly family: ChipFile['family'];
  readonly cpu: ChipFile['cpu'];
  /** Flash as it is erased: sectors in address order, sizes in bytes. */
  readonly flash: { readonly origin: number; readonly bytes: number; readonly sectors: readonly number[] };
  /** `use` is `data` for the one region that programs of ours take. */
  readonly ram: readonly {
    readonly name: string;
    readonly origin: number;
    readonly bytes: number;
    readonly use: 'data' | 'none';
  }[];
  readonly bootloader: ChipFile['bootloader'];
  readonly clock: ChipFile['clock'];
  readonly uarts: ChipFile['uarts'];
  readonly sources: ChipFile['sources'];
}

export interface Board extends Omit<BoardFile, 'chip'> {
  readonly chip: Chip;
}

const KIB = 1024;

export function chipOf(file: ChipFile): Chip {
  const sectors = file.flash.sectors.flatMap(({ count, kib }) => new Array<number>(count).fill(kib * KIB));
  return {
    id: file.id,
    name: file.name,
    family: file.family,
    cpu: file.cpu,
    flash: { origin: file.flash.origin, bytes: sectors.reduce((sum, bytes) => sum + bytes, 0), sectors },
    ram: file.ram.map(({ name, origin, kib, use }) => ({ name, origin, bytes: kib * KIB, use })),
    bootloader: file.bootloader,
    clock: file.clock,
    uarts: file.uarts,
    sources: file.sources,
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

/** The facts that the firmware is rendered from (`BoardFacts` of firmware-templates/render.ts). */
export function firmwareFacts(board: Board) {
  const { chip, serial, clock, emulator, led } = board;
  const ram = dataRam(chip);
  return {
    id: board.id,
    family: chip.family,
    cpu: chip.cpu,
    flash: { origin: chip.flash.origin, bytes: chip.flash.bytes },
    ram: { origin: ram.origin, bytes: ram.bytes },
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
