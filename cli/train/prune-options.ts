import type { CostMetric } from '../../converter/prune/cost.ts';
import type { Criterion } from '../../converter/prune/importance.ts';
import type { Schedule } from '../../converter/prune/plan-units.ts';
import type { PruneSettings, PruneTarget } from '../../converter/prune/prune-model.ts';
import type { Sparsity } from '../../converter/prune/sparse-masks.ts';
import type { TrainingSettings } from '../../converter/train/training-session.ts';
import type { OptionSpec } from '../command.ts';
import { badValue } from '../errors.ts';
import { countUpTo } from '../options.ts';

const metrics: readonly CostMetric[] = ['macs', 'bytes', 'instructions'];

/** `macs=0.5`: what may be left of the model's MACs, bytes or instructions. */
export function parseTarget(text: string, name: string): PruneTarget {
  const [metric = '', number = ''] = text.split('=', 2);
  const share = /^0?\.\d{1,6}$/.test(number) ? Number(number) : Number.NaN;
  const known = metrics.find((one) => one === metric);
  if (!known || !(share > 0)) {
    const expected =
      'macs=SHARE, bytes=SHARE or instructions=SHARE with a share between 0 and 1, as macs=0.5';
    throw badValue(name, text, expected);
  }
  return { metric: known, share };
}

/** `block=0.5`, `scattered=0.6`, or `2:4`: how many weights become zero, and in which form. */
export function parseSparsity(text: string, name: string): Sparsity {
  const pattern = /^([1-9]):(\d{1,2})$/.exec(text);
  const [keep, of] = [Number(pattern?.[1]), Number(pattern?.[2])];
  if (pattern && keep < of) return { kind: 'pattern', keep, of };
  const share = /^(block|scattered)=(0?\.\d{1,6})$/.exec(text);
  if (!share || !(Number(share[2]) > 0))
    throw badValue(name, text, 'block=SHARE or scattered=SHARE with a share between 0 and 1, or N:M as 2:4');
  return { kind: share[1] as 'block' | 'scattered', share: Number(share[2]) };
}

/** A number above 0, such as a rate or a count of epochs. */
export function parsePositive(text: string, name: string): number {
  const value = /^\d{0,6}(\.\d{1,9})?(e-?\d{1,2})?$/i.test(text) ? Number(text) : Number.NaN;
  if (!(value > 0 && Number.isFinite(value))) throw badValue(name, text, 'a number above 0');
  return value;
}

/** What the options of training give; what is not said depends on what is trained. */
export interface TrainingFlags {
  readonly distill: boolean;
  readonly epochs?: number;
  readonly batch: number;
  readonly learningRate?: number;
  readonly seed: number;
}

/** What the options below give. */
export interface PruneFlags extends TrainingFlags {
  readonly criterion: Criterion;
  readonly schedule: Schedule;
  readonly fineTune: boolean;
  readonly step: number;
}

/** Enough after channels were removed, and for weights that only have to find better places on the grid. */
const pruneDefaults = { epochs: 8, learningRate: 0.002 };
const tuneDefaults = { epochs: 2, learningRate: 0.0003 };

/** How a model is trained on the user's data. */
export const trainingOptions: readonly OptionSpec[] = [
  { flags: '--distill', help: 'learn from the original model beside the labels (default)' },
  { flags: '--no-distill', help: 'learn from the labels alone', fallback: true },
  {
    flags: '--epochs <n>',
    help: `passes over the data (default ${pruneDefaults.epochs}; ${tuneDefaults.epochs} for --qat)`,
    parse: parsePositive,
  },
  { flags: '--batch <n>', help: 'samples a step', parse: countUpTo(4096), fallback: 32 },
  {
    flags: '--learning-rate <rate>',
    help: `highest rate of Adam (default ${pruneDefaults.learningRate}; ${tuneDefaults.learningRate} for --qat)`,
    parse: parsePositive,
  },
  { flags: '--seed <n>', help: 'decides the order of samples', parse: countUpTo(999_999_999), fallback: 1 },
];

/** How channels are chosen and what is left of the model is trained. */
export const pruneOptions: readonly OptionSpec[] = [
  {
    flags: '--criterion <name>',
    help: 'how channels are rated',
    choices: ['taylor', 'l1', 'l2', 'batch-norm'],
    fallback: 'taylor',
  },
  {
    flags: '--schedule <name>',
    help: 'all channels at once, or in rounds with training between',
    choices: ['one-shot', 'gradual'],
    fallback: 'gradual',
  },
  {
    flags: '--step <n>',
    help: 'channel counts become multiples of this; the kernels like 4',
    parse: countUpTo(256),
    fallback: 4,
  },
  { flags: '--no-fine-tune', help: 'only remove channels' },
  ...trainingOptions,
];

function trainingSettings(
  flags: TrainingFlags,
  defaults: { readonly epochs: number; readonly learningRate: number },
): TrainingSettings {
  const { batch, distill, seed } = flags;
  const rate = flags.learningRate ?? defaults.learningRate;
  return { batch, distill, seed, epochs: flags.epochs ?? defaults.epochs, rate };
}

export function pruneSettings(flags: PruneFlags & { readonly target: PruneTarget }): PruneSettings {
  const { target, criterion, schedule, fineTune, step } = flags;
  return { ...trainingSettings(flags, pruneDefaults), target, criterion, schedule, fineTune, step };
}

/** Settings of quantization-aware fine-tuning. */
export function tuneSettings(flags: TrainingFlags): TrainingSettings {
  return trainingSettings(flags, tuneDefaults);
}
