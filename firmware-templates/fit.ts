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
  stm32: { flash: 3_000, ram: 1_350 },
  'rv32-virt': { flash: 3_000, ram: 1_130 },
  esp32: { flash: 4_900, ram: 1_130 },
  esp32s2: { flash: 3_000, ram: 1_130 },
  esp32s3: { flash: 3_000, ram: 1_130 },
  esp32c3: { flash: 4_300, ram: 1_130 },
  esp32c6: { flash: 3_000, ram: 1_130 },
  esp32p4: { flash: 3_000, ram: 1_130 },
};
const RAM_PER_LAYER = 8;
/** Builds take less than so much beyond what is foreseen (tests compare it). */
const RAM_UNFORESEEN = 160;

type Memories = Pick<BoardFacts, 'family' | 'flash' | 'ram' | 'arenaRam'>;
const bytesOf = (memories: readonly { readonly bytes: number }[]) =>
  memories.reduce((sum, { bytes }) => sum + bytes, 0);

function besideArena({ family }: Memories, needs: Pick<ModelNeeds, 'layers' | 'stackBytes'>): number {
  return needs.stackBytes + FIRMWARE[family].ram + needs.layers * RAM_PER_LAYER;
}

/** Bytes of `ram` that a build surely leaves for an arena. */
export function arenaRoom(board: Memories, needs: Pick<ModelNeeds, 'layers' | 'stackBytes'>): number {
  return Math.max(0, board.ram.bytes - besideArena(board, needs) - RAM_UNFORESEEN);
}

/**
 * Bytes by which a model is at least too big for a board, 0 where it fits. The model's code is not counted, so
 * that a model that fits here may still fail to link; `linkOverflow` then tells the exact excess.
 */
export function memoryShortage(board: Memories, needs: ModelNeeds) {
  const flash = needs.weightsBytes + FIRMWARE[board.family].flash;
  const ram = needs.arenaBytes + besideArena(board, needs);
  const rooms = board.ram.bytes + bytesOf(board.arenaRam);
  return { flash: Math.max(0, flash - board.flash.bytes), ram: Math.max(0, ram - rooms) };
}

/** Bytes over per memory, from what GNU ld wrote in the C locale; undefined when it failed for another reason. */
export function linkOverflow(linkerOutput: string): { flash: number; ram: number } | undefined {
  const over = { flash: 0, ram: 0 };
  for (const [, region, bytes] of linkerOutput.matchAll(
    /region `(FLASH|I?RAM\w*)' overflowed by (\d+) bytes/g,
  )) {
    if (region === 'FLASH') over.flash = Number(bytes);
    else over.ram += Number(bytes);
  }
  return over.flash + over.ram > 0 ? over : undefined;
}
