import {
  type Board,
  dataRam,
  type EspBoard,
  isEsp,
  type Rv32VirtBoard,
  type Stm32Board,
} from '../../boards/load.ts';
import { qemuMissing, socatMissing } from '../../device/errors.ts';
import { isVirtualEspChip } from '../../device/virtual/esp/esp-profile.ts';
import { startVirtualEsp } from '../../device/virtual/esp/start-virtual-esp.ts';
import { espProcessors } from '../../device/virtual/esp-cpu/esp-processors.ts';
import { startVirtualRv32, type VirtualRv32 } from '../../device/virtual/start-virtual-rv32.ts';
import {
  startVirtualStm32,
  type VirtualBoard,
  type VirtualStm32Options,
} from '../../device/virtual/start-virtual-stm32.ts';
import type { Context } from '../context.ts';
import { findLeash } from '../tools/find-leash.ts';
import { findTool } from '../tools/find-tool.ts';
import { flashMethodMissing } from './errors.ts';
import { stm32TargetOf } from './stm32-target.ts';

/** What a command says of a virtual board that it wants; `pty` to have a pseudo terminal as well. */
export type VirtualChoice = Pick<
  VirtualStm32Options,
  'boot' | 'port' | 'flashFile' | 'onTrace' | 'onNote'
> & {
  readonly pty?: boolean;
};

type StartOptions = Omit<VirtualChoice, 'pty'> & Pick<VirtualStm32Options, 'pty' | 'signal'>;

/** `load` where the board has no boot loader. */
export type RunningVirtual = VirtualBoard & Partial<Pick<VirtualRv32, 'load'>>;

function requireQemu(name: string): string {
  const path = findTool(name);
  if (path === undefined) throw qemuMissing(name);
  return path;
}

function requireSocat(): string {
  const path = findTool('socat');
  if (path === undefined) throw socatMissing();
  return path;
}

const notVirtual = (board: Board) =>
  flashMethodMissing(board.id, ['it is a real board; only virtual ones can be started']);

function startStm32(board: Stm32Board, options: StartOptions): Promise<VirtualBoard> {
  const { emulator, chip } = board;
  if (!emulator) throw notVirtual(board);
  const target = stm32TargetOf(board);
  return startVirtualStm32({
    ...options,
    flashBytes: chip.flash.bytes,
    sramBytes: dataRam(chip).bytes,
    chipId: target.chipId,
    sectors: target.sectors,
    // The boot loader of an STM32F1 is of the time before the extended erase command.
    erase: chip.line === 'f1' ? 'plain' : 'extended',
    qemuBinary: requireQemu(emulator.program),
    setpriv: findLeash(),
    qemuMachine: emulator.machine,
  });
}

function startRv32({ emulator, chip }: Rv32VirtBoard, options: StartOptions): Promise<VirtualRv32> {
  return startVirtualRv32({
    ...options,
    flashAddress: chip.flash.origin,
    flashBytes: chip.flash.bytes,
    qemuBinary: requireQemu(emulator.program),
    setpriv: findLeash(),
    qemuMachine: emulator.machine,
  });
}

function startEsp(board: EspBoard, options: StartOptions): Promise<VirtualBoard> {
  const { emulator, chip } = board;
  if (!emulator || !isVirtualEspChip(chip.family)) throw notVirtual(board);
  const processor = espProcessors[chip.family];
  const { family, flash } = chip;
  return startVirtualEsp({
    ...options,
    chip: family,
    flashBytes: flash.bytes,
    ...(processor && { processor }),
  });
}

function startVirtual(board: Board, options: StartOptions): Promise<RunningVirtual> {
  if (isEsp(board)) return startEsp(board, options);
  return board.family === 'stm32' ? startStm32(board, options) : startRv32(board, options);
}

/** Starts the emulator of a virtual board; it ends with the command. */
export async function startVirtualBoard(
  context: Context,
  board: Board,
  { pty, ...choice }: VirtualChoice = {},
): Promise<RunningVirtual> {
  const virtual = await startVirtual(board, {
    onNote: (text) => context.output.detail(`${board.id}: ${text}`),
    ...choice,
    pty: pty ? requireSocat() : undefined,
    signal: context.lifetime.signal,
  });
  context.lifetime.onEnd(() => virtual.close());
  return virtual;
}
