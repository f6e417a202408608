import type { Stm32Board } from '../../../boards/load.ts';
import {
  chipIdOf,
  flashOrigin,
  type Probed,
  type ProbeProgram,
  probeSeconds,
  writeSeconds,
} from './probe-program.ts';

const KIB = 1024;

interface OpenocdTarget {
  /** Its description of the line (its folder scripts/target). */
  readonly name: string;
  /** The description that shows the second bank as well, and how much the first one shows at most. */
  readonly dual?: { readonly name: string; readonly beyondBytes: number };
  /** Where the chip tells its id, in lines whose driver keeps it to itself (DBGMCU_IDCODE). */
  readonly idAddress?: number;
}

const targets: Readonly<Record<Stm32Board['chip']['line'], OpenocdTarget>> = {
  f0: { name: 'stm32f0x' },
  f1: { name: 'stm32f1x' },
  f2: { name: 'stm32f2x' },
  f3: { name: 'stm32f3x' },
  f4: { name: 'stm32f4x' },
  f7: { name: 'stm32f7x' },
  g0: { name: 'stm32g0x' },
  g4: { name: 'stm32g4x' },
  h7: {
    name: 'stm32h7x',
    dual: { name: 'stm32h7x_dual_bank', beyondBytes: 1024 * KIB },
    idAddress: 0x5c001000,
  },
  l0: {
    name: 'stm32l0',
    dual: { name: 'stm32l0_dual_bank', beyondBytes: 64 * KIB },
    idAddress: 0x40015800,
  },
  l4: { name: 'stm32l4x' },
  u5: { name: 'stm32u5x' },
};

const hex = (address: number) => `0x${address.toString(16)}`;

/** The name of the description under which all of a chip's flash can be written. */
export function openocdTarget({ line, flash }: Stm32Board['chip']): string {
  const { name, dual } = targets[line];
  return dual && flash.bytes > dual.beyondBytes ? dual.name : name;
}

/** What has to be done to see which chip is there; nothing is changed by it. */
export function openocdLook({ line }: Stm32Board['chip']): string[] {
  const { idAddress } = targets[line];
  const read = idAddress === undefined ? [] : [`mdw ${hex(idAddress)}`];
  return ['init', 'reset halt', 'flash probe 0', ...read, 'shutdown'];
}

export const openocdWrite = (board: Stm32Board): string[] => [
  `program firmware.bin ${flashOrigin(board)} verify reset exit`,
];

export function openocdArgs({ board, serial }: Probed, commands: readonly string[]): string[] {
  return [
    ...['-f', 'interface/stlink.cfg'],
    ...(serial === undefined ? [] : ['-c', `adapter serial ${serial}`]),
    ...['-f', `target/${openocdTarget(board.chip)}.cfg`],
    ...commands.flatMap((one) => ['-c', one]),
  ];
}

/** `device id = 0x10006421`, or what stands in the register that was read: `0x5c001000: 10036450`. */
function idIn(said: string, idAddress: number | undefined): number | undefined {
  const told = /device id(?:code)? = 0x([0-9a-f]{3,8})/i.exec(said)?.[1];
  const pattern = idAddress === undefined ? undefined : new RegExp(`^${hex(idAddress)}: ([0-9a-f]{8})`, 'im');
  const id = told ?? pattern?.exec(said)?.[1];
  return id === undefined ? undefined : chipIdOf(id);
}

export const openocd: ProbeProgram = {
  tool: 'openocd',
  async look(run, probed) {
    const { chip } = probed.board;
    const said = await run('openocd', openocdArgs(probed, openocdLook(chip)), probeSeconds);
    return { chipId: idIn(said, targets[chip.line].idAddress) };
  },
  write: (run, probed) => run('openocd', openocdArgs(probed, openocdWrite(probed.board)), writeSeconds),
  proof: /\*\* Verified OK \*\*/,
};
