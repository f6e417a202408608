import type { BoardFacts } from './render/facts.ts';

/** What a model asks of a board, known before anything is compiled. */
export interface ModelNeeds {
  readonly weightsBytes: number;
  readonly arenaBytes: number;
  readonly layers: number;
  readonly stackBytes: number;
}

/** Flash and RAM that a firmware takes beside its model: at least this much (tests compare it with a build). */
const FIRMWARE: Readonly<Record<BoardFacts['family'], { readonly flash: number; readonly ram: number }>> = {
  stm32f4: { flash: 3_000, ram: 1_350 },
  'rv32-virt': { flash: 3_000, ram: 1_130 },
  esp32: { flash: 3_000, ram: 1_130 },
  esp32s2: { flash: 3_000, ram: 1_130 },
  esp32s3: { flash: 3_000, ram: 1_130 },
  esp32c3: { flash: 3_000, ram: 1_130 },
  esp32c6: { flash: 3_000, ram: 1_130 },
  esp32p4: { flash: 3_000, ram: 1_130 },
};
const RAM_PER_LAYER = 8;

/**
 * Bytes by which a model is at least too big for a board, 0 where it fits. The model's code is not counted, so
 * that a model that fits here may still fail to link; `linkOverflow` then tells the exact excess.
 */
export function memoryShortage(board: Pick<BoardFacts, 'family' | 'flash' | 'ram'>, needs: ModelNeeds) {
  const firmware = FIRMWARE[board.family];
  const flash = needs.weightsBytes + firmware.flash;
  const ram = needs.arenaBytes + needs.stackBytes + firmware.ram + needs.layers * RAM_PER_LAYER;
  return { flash: Math.max(0, flash - board.flash.bytes), ram: Math.max(0, ram - board.ram.bytes) };
}

/** Bytes over per memory, from what GNU ld wrote in the C locale; undefined when it failed for another reason. */
export function linkOverflow(linkerOutput: string): { flash: number; ram: number } | undefined {
  const over = { flash: 0, ram: 0 };
  for (const [, region, bytes] of linkerOutput.matchAll(/region `(FLASH|RAM)' overflowed by (\d+) bytes/g)) {
    if (region === 'FLASH') over.flash = Number(bytes);
    else over.ram = Number(bytes);
  }
  return over.flash + over.ram > 0 ? over : undefined;
}
