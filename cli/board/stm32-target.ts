import type { Stm32Board } from '../../boards/load.ts';
import type { Stm32Target } from '../../device/stm32-bootloader/flash-stm32.ts';

/** Bytes that the flash of a line programs at once, where they are more than a word (reference manuals). */
const programBytes: Readonly<Partial<Record<Stm32Board['chip']['line'], number>>> = {
  g0: 8,
  g4: 8,
  l4: 8,
  u5: 16,
  h7: 32,
};

/** What flashers have to know of a board's chip. */
export function stm32TargetOf({ chip }: Stm32Board): Stm32Target {
  return {
    chipId: chip.bootloader.chipId,
    flashAddress: chip.flash.origin,
    flashBytes: chip.flash.bytes,
    sectors: chip.flash.runs,
    ...(chip.erased === undefined ? {} : { erased: chip.erased }),
    programBytes: programBytes[chip.line] ?? 4,
  };
}
