import type { EspImageOptions } from '../esp-image.ts';
import type { ConstantsPlace } from './esp-linker-script.ts';
import type { EspFacts, ModelFacts } from './facts.ts';

/** Room in RAM for what is not known before a build: instructions where they share it, small constants, variables. */
const SHARED_RESERVE = 48 * 1024;
const RESERVE = 12 * 1024;

/** Constants are read fastest from RAM; they go to flash when model, stack and code would not fit together. */
export function constantsPlace(board: EspFacts, model: ModelFacts, stackBytes: number): ConstantsPlace {
  const reserve = board.iram.shared ? SHARED_RESERVE : RESERVE;
  const needed = model.weightsBytes + model.arenaBytes + stackBytes + reserve;
  return model.constants ?? (needed <= board.ram.bytes ? 'ram' : 'flash');
}

/** Two data lines at rates that every flash chip on these boards keeps up with. */
export function espImageOptions(board: EspFacts): EspImageOptions {
  return {
    ...board.boot,
    flashBytes: board.flash.bytes,
    flashMode: 'dio',
    flashFrequency: board.family === 'esp32' ? '40m' : '80m',
    mappedFlash: board.mappedFlash,
  };
}

/** Espressif's own way from firmware.elf to the same image. */
export function esptoolCommand(board: EspFacts, constants: ConstantsPlace): string[] {
  const { flashMode, flashFrequency, flashBytes } = espImageOptions(board);
  const header = ['--flash-mode', flashMode, '--flash-freq', flashFrequency];
  const size = ['--flash-size', `${flashBytes / (1024 * 1024)}MB`];
  const hidden = constants === 'flash' ? ['--ram-only-header'] : [];
  const files = ['-o', 'firmware.bin', 'firmware.elf'];
  return ['esptool', '--chip', board.family, 'elf2image', ...header, ...size, ...hidden, ...files];
}
