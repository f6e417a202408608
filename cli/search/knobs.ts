import type { ConvertOptions } from '../../converter/convert-model.ts';
import { type CalibrationMethod, calibrationMethods } from '../../converter/quant/choose-range.ts';
import { defaultRecipe, type Recipe } from '../../converter/quant/recipe.ts';
import type { Assignment, Knob, KnobValue, Space } from '../../converter/search/space.ts';

/** What an assignment makes of a conversion. */
export interface TrialConversion {
  readonly options: Partial<Pick<ConvertOptions, 'quantize' | 'optimize'>>;
  /** How a float model is quantized. */
  readonly recipe: Partial<Recipe>;
  /** Calibration samples to take; absent for all. */
  readonly calibrationSamples?: number;
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

const whenInt8 = { knob: 'format', is: ['int8'] } as const;

/** A step of quantization that is taken or not. */
function recipeSwitch(name: 'perTensor' | 'equalize' | 'correctBias' | 'learnRounding'): KnobRow {
  return {
    name,
    values: [false, true],
    ordered: false,
    fallback: defaultRecipe[name],
    when: whenInt8,
    apply: (conversion, value) => withRecipe(conversion, { [name]: value === true }),
  };
}

/** Everything that a search may choose. */
const rows: readonly KnobRow[] = [
  {
    name: 'format',
    values: ['int8', 'float'],
    ordered: false,
    fallback: 'int8',
    apply: (conversion, value) => withOptions(conversion, { quantize: value as 'int8' | 'float' }),
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
    when: whenInt8,
    apply: (conversion, value) => withRecipe(conversion, { method: value as CalibrationMethod }),
  },
  {
    name: 'calibrationSamples',
    values: [32, 64, 128, 256, 512],
    ordered: true,
    fallback: 512,
    when: whenInt8,
    apply: (conversion, value) => ({ ...conversion, calibrationSamples: Number(value) }),
  },
  recipeSwitch('perTensor'),
  recipeSwitch('equalize'),
  recipeSwitch('correctBias'),
  recipeSwitch('learnRounding'),
];

/** What of a model decides which knobs there are. */
export interface SpaceFacts {
  /** The model came with its scales, which are kept. */
  readonly quantized: boolean;
}

export function spaceFor({ quantized }: SpaceFacts): Space {
  const there = quantized ? rows.filter(({ name }) => name === 'optimize') : rows;
  return there.map(({ apply: _, ...knob }) => knob);
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
