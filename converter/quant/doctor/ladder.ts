import { type CalibrationMethod, calibrationMethods } from '../choose-range.ts';
import { hasWideForm } from '../precision.ts';
import type { Recipe } from '../recipe.ts';
import type { LayerDiagnosis } from './diagnose.ts';

/** A remedy that may be tried on top of the best recipe so far. */
export interface Remedy {
  /** What it does, for people. */
  readonly name: string;
  /** The recipe with the remedy; undefined where it would change nothing. */
  apply(recipe: Recipe): Recipe | undefined;
}

const methodNames: Readonly<Record<CalibrationMethod, string>> = {
  minmax: 'min-max ranges',
  percentile: 'percentile ranges',
  mse: 'least squared error ranges',
  kl: 'entropy (KL) ranges',
};

const methodRemedies: readonly Remedy[] = calibrationMethods.map((method) => ({
  name: methodNames[method],
  apply: (recipe) => (recipe.method === method ? undefined : { ...recipe, method }),
}));

type Switch = 'equalize' | 'correctBias' | 'learnRounding';

function switchOn(name: string, key: Switch): Remedy {
  return { name, apply: (recipe) => (recipe[key] ? undefined : { ...recipe, [key]: true }) };
}

/** How many of the worst layers get 16-bit activations, in turn. */
const wideCounts = [1, 2, 4];

function wideRemedy(layers: readonly LayerDiagnosis[], count: number): Remedy {
  const worst = layers.filter((layer) => hasWideForm(layer.op)).slice(0, count);
  const names = worst.map((layer) => layer.name);
  return {
    name: `16-bit activations in ${names.join(', ')}`,
    apply(recipe) {
      if (worst.length < count || recipe.scheme === 'int16x8') return undefined;
      const chosen = new Map(recipe.precisionOfLayer);
      for (const name of names) chosen.set(name, 'int16');
      return { ...recipe, precisionOfLayer: chosen };
    },
  };
}

/**
 * Remedies from those that cost nothing on the board to those that cost flash and time. `layers` are ranked, the one
 * that costs most first.
 */
export function remediesFor(layers: readonly LayerDiagnosis[]): readonly Remedy[] {
  return [
    {
      name: 'a scale for each channel',
      apply: (recipe) => (recipe.perTensor ? { ...recipe, perTensor: false } : undefined),
    },
    ...methodRemedies,
    switchOn('cross-layer equalization', 'equalize'),
    switchOn('bias correction', 'correctBias'),
    switchOn('learned rounding (AdaRound)', 'learnRounding'),
    ...wideCounts.map((count) => wideRemedy(layers, count)),
    {
      name: '16-bit activations throughout',
      apply: (recipe) => (recipe.scheme === 'int16x8' ? undefined : { ...recipe, scheme: 'int16x8' }),
    },
  ];
}

/** What a recipe came to; points lost against float are null without labels. */
export interface Measured {
  readonly lost: number | null;
  readonly sqnrDb: number;
}

/** Fewer points than this are chance. */
const noticeable = 1e-9;

/** Whether `a` is the better start for further remedies than `b`. */
export function isBetter(a: Measured, b: Measured): boolean {
  const difference = (a.lost ?? 0) - (b.lost ?? 0);
  return Math.abs(difference) > noticeable ? difference < 0 : a.sqnrDb > b.sqnrDb;
}
