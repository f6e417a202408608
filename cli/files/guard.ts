import { outputIsInput, outputTwice } from './errors.ts';
import { below, finalPath, identityOf, isSameFile, mayBeSameFile } from './final-path.ts';

/** A place that the command line names, and what names it: `--calib`, `-o, --output`. */
export interface NamedPlace {
  readonly path: string;
  readonly by: string;
}

export interface OutputPlace extends NamedPlace {
  /** Files below the place, a folder, that will be replaced or removed; empty for a file. */
  readonly replaces: ReadonlySet<string>;
}

interface Input extends NamedPlace {
  readonly final: string;
}

interface Known {
  readonly inputs: Map<string, Input>;
  /** The same by identity, for hard links; what it says is asked again before it counts. */
  readonly identities: Map<string, Input>;
  readonly outputs: (OutputPlace & { readonly final: string })[];
}

/**
 * What the command of this process reads and where it will write. Readers and writers of files tell and ask by
 * themselves, so that no command can forget it.
 */
const known: Known = { inputs: new Map(), identities: new Map(), outputs: [] };

/** Forgets everything: a command begins. */
export function resetGuard(): void {
  known.inputs.clear();
  known.identities.clear();
  known.outputs.length = 0;
}

/** Whether writing to an output would cost the user an input. */
function wouldLose(output: OutputPlace & { readonly final: string }, input: string): boolean {
  if (isSameFile(output.final, input)) return true;
  const inside = below(output.final, input);
  return inside !== undefined && output.replaces.has(inside);
}

/** Tells that a file is read. Throws E_OUTPUT_IS_INPUT where it is to be written as well. */
export function declareInput(place: NamedPlace): void {
  const final = finalPath(place.path);
  const output = known.outputs.find((one) => wouldLose(one, final));
  if (output) throw outputIsInput(output, place);
  if (known.inputs.has(final)) return;
  const input = { ...place, final };
  known.inputs.set(final, input);
  const identity = identityOf(final);
  if (identity !== undefined) known.identities.set(identity, input);
}

/** Tells where will be written. Throws E_OUTPUT_IS_INPUT, and E_OUTPUT_TWICE for two outputs in one place. */
export function declareOutput(place: OutputPlace): void {
  const output = { ...place, final: finalPath(place.path) };
  const twin = known.outputs.find((one) => mayBeSameFile(one.final, output.final));
  if (twin) throw outputTwice(twin, place);
  const input = [...known.inputs.values()].find((one) => wouldLose(output, one.final));
  if (input) throw outputIsInput(place, input);
  known.outputs.push(output);
}

/** The input that a final path is, if it is one. */
function inputAt(final: string): Input | undefined {
  const input = known.inputs.get(final) ?? known.identities.get(identityOf(final) ?? '');
  return input && isSameFile(final, input.final) ? input : undefined;
}

/** The last look, right before the file at a final path is replaced, grown or removed. E_OUTPUT_IS_INPUT. */
export function refuseOverInputs(path: string, final: string): void {
  const input = inputAt(final);
  if (input) throw outputIsInput({ path, by: '' }, input);
}

/** Whether a final path is one of those that this command writes. */
export function isOwnOutput(final: string): boolean {
  return known.outputs.some((output) => output.final === final);
}
