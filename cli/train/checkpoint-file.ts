import { existsSync } from 'node:fs';
import { isCheckpoint, readCheckpoint, writeCheckpoint } from '../../converter/prune/checkpoint.ts';
import type { PruneState } from '../../converter/prune/prune-model.ts';
import type { Context } from '../context.ts';
import { placeBeside } from '../files/default-places.ts';
import { readInputFile } from '../files/input-file.ts';
import { writeFileAtomically } from '../files/output-file.ts';
import { removeQuietly } from '../files/temporary.ts';
import { notACheckpoint } from './errors.ts';

const checkpointLimit = 2_147_483_648;

/** Where a run that prunes keeps what it has reached: beside its output. */
export const checkpointPath = (output: string) => placeBeside(output, '.checkpoint');

/** What `CommandSpec.alsoWrites` gives for it. */
export const checkpointOf = (output: unknown) => [
  { path: checkpointPath(String(output)), by: 'the checkpoint of --output' },
];

/** The text of a checkpoint. Throws E_OUTPUT_FOREIGN for a file of another kind, which is not ours to replace. */
function textAt(path: string): string {
  const { bytes } = readInputFile(path, { expected: 'a checkpoint', limit: checkpointLimit, own: true });
  const text = new TextDecoder().decode(bytes);
  if (!isCheckpoint(text)) throw notACheckpoint(path);
  return text;
}

/** How far an earlier run of the same kind came, if there was one. */
export function earlierState(context: Context, output: string, key: string): PruneState | undefined {
  const path = checkpointPath(output);
  if (!existsSync(path)) return undefined;
  const state = readCheckpoint(textAt(path), key);
  context.output.note(
    state
      ? `${path}: going on where an earlier run stopped`
      : `${path}: made by another run (other model, data or settings); starting over`,
  );
  return state;
}

export function saveState(context: Context, output: string, key: string, state: PruneState): void {
  writeFileAtomically(checkpointPath(output), writeCheckpoint(state, key), context.lifetime);
}

/** To be called when the result of a run that pruned is written: the checkpoint has done its work. */
export function removeCheckpoint(output: string): void {
  removeQuietly(checkpointPath(output));
}
