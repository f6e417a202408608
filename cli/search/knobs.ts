import type { ConvertOptions, Scheme } from '../../converter/convert-model.ts';
import type { Criterion } from '../../converter/prune/importance.ts';
import type { Schedule } from '../../converter/prune/plan-units.ts';
import { type CalibrationMethod, calibrationMethods } from '../../converter/quant/choose-range.ts';
import { defaultRecipe, type Recipe } from '../../converter/quant/recipe.ts';
import type { Assignment, Knob, KnobValue, Space } from '../../converter/search/space.ts';
import { unknownKnob, unknownKnobValue } from './errors.ts';

/** What an assignment makes of a conversion. */
export interface TrialConversion {
  readonly options: Partial<Pick<ConvertOptions, 'quantize' | 'optimize'>>;
  /** How a float model is quantized. */
  readonly recipe: Partial<Recipe>;
  /** Calibration samples to take; absent for all. */
  readonly calibrationSamples?: number;
  /** Channels to remove before quantization; absent for none. */
  readonly prune?: TrialPruning;
}

/** What of a model is left, and how the rest is trained. */
export interface TrialPruning {
  /** Of the multiply-accumulates. */
  readonly share: number;
  readonly criterion: Criterion;
  readonly epochs: number;
  readonly schedule: Schedule;
}

/** One row: what can be chosen, and what the choice does to a conversion. */
interface KnobRow extends Knob {
  readonly apply: (conversion: TrialConversion, value: KnobValue) => TrialConversion;
}

function withOptions(conversion: TrialConversion, options: TrialConversion['options']): TrialConversion {
  return { ...conversion, options: { ...conversion.options, ...options } };
}

function withRecipe(conversion: TrialConversion, recipe: Partial<Recipe>): TrialConversion {
  return { ...conversion, recipe: { ...conversion.recipe, ...recipe } };
}

function withPruning(conversion: TrialConversion, pruning: Partial<TrialPruning>): TrialConversion {
  const usual = { share: 1, criterion: 'taylor', epochs: 0, schedule: 'one-shot' } as const;
  return { ...conversion, prune: { ...usual, ...conversion.prune, ...pruning } };
}

const shares = [1, 0.8, 0.65, 0.5, 0.4, 0.3, 0.2, 0.1];
const whenPruned = { knob: 'pruneTo', is: shares.slice(1) } as const;

const whenQuantized = { knob: 'format', is: ['int8', 'int16x8'] } as const;

/** A step of quantization that is taken or not. */
function recipeSwitch(name: 'perTensor' | 'equalize' | 'correctBias' | 'learnRounding'): KnobRow {
  return {
    name,
    values: [false, true],
    ordered: false,
    fallback: defaultRecipe[name],
    when: whenQuantized,
    apply: (conversion, value) => withRecipe(conversion, { [name]: value === true }),
  };
}

/** Everything that a search may choose. */
const rows: readonly KnobRow[] = [
  {
    name: 'pruneTo',
    values: shares,
    ordered: true,
    fallback: 1,
    apply: (conversion, value) =>
      value === 1 ? conversion : withPruning(conversion, { share: Number(value) }),
  },
  {
    name: 'criterion',
    values: ['taylor', 'l1', 'l2', 'batch-norm'],
    ordered: false,
    fallback: 'taylor',
    when: whenPruned,
    apply: (conversion, value) => withPruning(conversion, { criterion: value as Criterion }),
  },
  {
    name: 'epochs',
    values: [0, 1, 3, 6],
    ordered: true,
    fallback: 3,
    when: whenPruned,
    apply: (conversion, value) => withPruning(conversion, { epochs: Number(value) }),
  },
  {
    name: 'schedule',
    values: ['one-shot', 'gradual'],
    ordered: false,
    fallback: 'one-shot',
    when: { knob: 'epochs', is: [1, 3, 6] },
    apply: (conversion, value) => withPruning(conversion, { schedule: value as Schedule }),
  },
  {
    name: 'format',
    values: ['int8', 'int16x8', 'float'],
    ordered: false,
    fallback: 'int8',
    apply: (conversion, value) => withOptions(conversion, { quantize: value as Scheme }),
  },
  {
    name: 'optimize',
    values: ['speed', 'size'],
    ordered: false,
    fallback: 'speed',
    apply: (conversion, value) => withOptions(conversion, { optimize: value as 'speed' | 'size' }),
  },
  {
    name: 'calibration',
    values: calibrationMethods,
    ordered: false,
    fallback: defaultRecipe.method,
    when: whenQuantized,
    apply: (conversion, value) => withRecipe(conversion, { method: value as CalibrationMethod }),
  },
  {
    name: 'calibrationSamples',
    values: [32, 64, 128, 256, 512],
    ordered: true,
    fallback: 512,
    when: whenQuantized,
    apply: (conversion, value) => ({ ...conversion, calibrationSamples: Number(value) }),
  },
  {
    name: 'weights',
    values: ['int8', 'int4'],
    ordered: false,
    fallback: 'int8',
    when: whenQuantized,
    apply: (conversion, value) =>
      value === 'int4' ? withRecipe(conversion, { packedLayers: new Set(['all']) }) : conversion,
  },
  recipeSwitch('perTensor'),
  recipeSwitch('equalize'),
  recipeSwitch('correctBias'),
  recipeSwitch('learnRounding'),
];

/** A knob and the values that are left of it. */
export type KnobLimit = readonly [name: string, values: readonly string[]];

/** What of a model decides which knobs there are. */
export interface SpaceFacts {
  /** The model came with its scales, which are kept. */
  readonly quantized: boolean;
}

export function spaceFor({ quantized }: SpaceFacts): Space {
  const there = quantized ? rows.filter(({ name }) => name === 'optimize') : rows;
  return there.map(({ apply: _, ...knob }) => knob);
}

/** A space with fewer values for one knob: the user's `NAME=VALUE,VALUE`. Throws E_KNOB. */
export function restrict(space: Space, [name, wanted]: KnobLimit): Space {
  const knob = space.find((one) => one.name === name);
  if (!knob)
    throw unknownKnob(
      name,
      space.map((one) => one.name),
    );
  for (const text of wanted) {
    const known = knob.values.map(String);
    if (!known.includes(text)) throw unknownKnobValue(name, text, known);
  }
  const values = knob.values.filter((value) => wanted.includes(String(value)));
  const fallback = values.includes(knob.fallback) ? knob.fallback : values[0]!;
  return space.map((one) => (one === knob ? { ...knob, values, fallback } : one));
}

/** Whether any assignment of a space removes channels, and so needs data to train on. */
export function canPrune(space: Space): boolean {
  return space.some((knob) => knob.name === 'pruneTo' && knob.values.some((value) => value !== 1));
}

export function conversionOf(assignment: Assignment): TrialConversion {
  return rows.reduce<TrialConversion>(
    (conversion, row) => {
      const value = assignment[row.name];
      return value === undefined ? conversion : row.apply(conversion, value);
    },
    { options: {}, recipe: {} },
  );
}

export function optimizeOf(assignment: Assignment): 'speed' | 'size' {
  return conversionOf(assignment).options.optimize ?? 'speed';
}
