import { type Board, firmwareFacts } from '../../boards/load.ts';
import { type ModelNeeds, memoryShortage } from '../../firmware-templates/fit.ts';
import { modelTooBig } from './errors.ts';

/** Bytes of stack that the firmware reserves; the benchmark measures how much of it was used. */
export const stackBytes = 4096;

interface ModelSize {
  readonly weightsBytes: number;
  readonly arenaBytes: number;
  readonly layers: readonly unknown[];
}

function needsOf({ weightsBytes, arenaBytes, layers }: ModelSize): ModelNeeds {
  return { weightsBytes, arenaBytes, layers: layers.length, stackBytes };
}

/** Bytes of flash and RAM by which a model is at least too big for a board. */
export function shortageOn(board: Board, model: ModelSize): { flash: number; ram: number } {
  return memoryShortage(firmwareFacts(board), needsOf(model));
}

/** Throws E_MODEL_TOO_BIG with the bytes over, before anything is built. */
export function refuseTooBig(board: Board, model: ModelSize): void {
  const over = shortageOn(board, model);
  if (over.flash > 0 || over.ram > 0) throw modelTooBig(board.id, over);
}
