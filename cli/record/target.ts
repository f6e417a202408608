import { existsSync } from 'node:fs';
import { extname } from 'node:path';
import {
  joinSets,
  type LabelledSet,
  labelledSetOf,
  writeSetCsv,
  writeSetNpz,
} from '../../converter/data/labelled-set.ts';
import { type WindowForm, windowForInput, windowOf } from '../../converter/data/windows.ts';
import type { Context } from '../context.ts';
import { badUsage, badValue } from '../errors.ts';
import { readDataPath } from '../files/data-path.ts';
import { writeFileAtomically } from '../files/output-file.ts';
import { openModel } from '../model/open-model.ts';

export interface TargetOptions {
  readonly label?: string;
  readonly window?: number;
  readonly model?: string;
  readonly overwrite?: boolean;
}

/** The file that samples go into, checked before anything is recorded. */
export interface Target {
  readonly form: WindowForm;
  /** Adds windows to what the file held and writes it; returns how many it holds now, by class. */
  save(
    context: Context,
    windows: readonly (readonly number[])[],
  ): { total: number; classes: Record<string, number> };
}

/** Names that a table and a shell take without quotes. */
const labelForm = /^[\p{L}\p{N}][\p{L}\p{N} _.-]{0,63}$/u;

export function parseLabel(text: string, name: string): string {
  if (!labelForm.test(text)) throw badValue(name, text, 'letters, digits, blanks, _ . -, 64 at most');
  return text.trim();
}

/** The form of one window: of the model's input, of so many samples, or each sample by itself. */
function formOf(context: Context, options: TargetOptions, channels: number): WindowForm {
  if (options.model === undefined) return windowOf(options.window ?? 1, channels);
  if (options.window !== undefined)
    throw badUsage('record', '--window and --model both say how to cut windows');
  const { graph } = openModel(context, options.model);
  const [input] = graph.inputs;
  if (!input || graph.inputs.length > 1) {
    throw badUsage('record', `${options.model} has ${graph.inputs.length} inputs; windows are cut for one`);
  }
  return windowForInput(input.name, input.shape, channels);
}

const emptySet = (shape: readonly number[], label: string | undefined): LabelledSet => ({
  shape,
  values: new Float32Array(0),
  ...(label === undefined ? {} : { labels: new Int32Array(0) }),
  classes: [],
});

function countsOf({ labels, classes }: LabelledSet): Record<string, number> {
  const counts = classes.map((name, number) => [
    name,
    labels?.filter((label) => label === number).length ?? 0,
  ]);
  return Object.fromEntries(counts) as Record<string, number>;
}

/** Opens what samples are added to. E_USAGE, E_RECORD_SHAPE, E_RECORD_LABELS and what reading the file throws. */
export function openTarget(context: Context, path: string, options: TargetOptions, channels: number): Target {
  const kind = extname(path).toLowerCase();
  if (kind !== '.npz' && kind !== '.csv') throw badUsage('record', `${path} must end in .npz or .csv`);
  const form = formOf(context, options, channels);
  const { label } = options;
  const adds = options.overwrite !== true && existsSync(path);
  const before = adds
    ? labelledSetOf(readDataPath(context, path, { lastIsLabel: false, own: true }), form.shape)
    : emptySet(form.shape, label);
  const setOf = (windows: readonly (readonly number[])[]): LabelledSet => ({
    shape: form.shape,
    values: Float32Array.from(windows.flat()),
    ...(label === undefined ? {} : { labels: new Int32Array(windows.length) }),
    classes: label === undefined ? [] : [label],
  });
  // Labels that do not go together are refused now, not after the recording.
  joinSets(path, before, setOf([]));
  return {
    form,
    save(ctx, windows) {
      const set = joinSets(path, before, setOf(windows));
      writeFileAtomically(path, kind === '.npz' ? writeSetNpz(set) : writeSetCsv(set), ctx.lifetime);
      const size = form.shape.reduce((a, b) => a * b, 1);
      return { total: set.values.length / size, classes: countsOf(set) };
    },
  };
}
