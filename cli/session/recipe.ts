import { type CalibrationMethod, calibrationMethods } from '../../converter/quant/choose-range.ts';
import type { Precision } from '../../converter/quant/precision.ts';
import type { Recipe } from '../../converter/quant/recipe.ts';
import type { OptionSpec } from '../command.ts';
import { wrongChoice } from '../errors.ts';

/** A method for all layers, or for one. */
type MethodWord = readonly [layer: string | undefined, method: CalibrationMethod];

/** The options of every command that quantizes. */
export interface RecipeOptions {
  readonly calibration?: readonly MethodWord[];
  readonly perTensor?: boolean;
  readonly equalize?: boolean;
  readonly correctBias?: boolean;
  readonly adaround?: boolean;
  readonly int16?: readonly string[];
  readonly int4?: readonly string[];
  readonly keepFloat?: readonly string[];
}

function parseMethod(text: string, name: string): MethodWord {
  const split = text.lastIndexOf('=');
  const method = text.slice(split + 1);
  const known = calibrationMethods.find((one) => one === method);
  if (!known) throw wrongChoice(name, method, calibrationMethods);
  return [split > 0 ? text.slice(0, split) : undefined, known];
}

export const recipeOptions: readonly OptionSpec[] = [
  {
    flags: '--calibration <method>',
    help: `how ranges are chosen: ${calibrationMethods.join(', ')} (default: mse); LAYER=METHOD for one layer (may be repeated)`,
    parse: parseMethod,
    repeat: true,
  },
  { flags: '--per-tensor', help: 'one weight scale a layer, as older runtimes need it' },
  { flags: '--equalize', help: 'balance the channels of neighbouring layers first' },
  { flags: '--correct-bias', help: 'take out what quantization adds to the mean of each channel' },
  { flags: '--adaround', help: 'round each weight up or down as the result of its layer needs it' },
  {
    flags: '--int4 <layer>',
    help: 'weights of this convolution or fully connected layer in 4 bits, or of all (may be repeated)',
    repeat: true,
  },
  {
    flags: '--keep-float <layer>',
    help: 'this layer computes in float, with conversions around it (may be repeated)',
    repeat: true,
  },
  {
    flags: '--int16 <layer>',
    help: '16-bit activations in this layer (may be repeated)',
    repeat: true,
  },
];

function precisionsOf({ int16 = [], keepFloat = [] }: RecipeOptions): Map<string, Precision> {
  const wide = int16.map((name) => [name, 'int16'] as const);
  return new Map<string, Precision>([...wide, ...keepFloat.map((name) => [name, 'float32'] as const)]);
}

const precisionFlags: Readonly<Record<Precision, string>> = {
  int8: '--int8',
  int16: '--int16',
  float32: '--keep-float',
};

/** What the options say that differs from the default. */
export function recipeOf(options: RecipeOptions): Partial<Recipe> {
  const words = options.calibration ?? [];
  const method = words.findLast(([layer]) => layer === undefined)?.[1];
  const ofLayer = words.filter((word): word is [string, CalibrationMethod] => word[0] !== undefined);
  return {
    ...(method ? { method } : {}),
    ...(ofLayer.length > 0 ? { methodOfLayer: new Map(ofLayer) } : {}),
    ...(options.perTensor ? { perTensor: true } : {}),
    ...(options.equalize ? { equalize: true } : {}),
    ...(options.correctBias ? { correctBias: true } : {}),
    ...(options.adaround ? { learnRounding: true } : {}),
    ...(options.int4 ? { packedLayers: new Set(options.int4) } : {}),
    ...(options.int16 || options.keepFloat ? { precisionOfLayer: precisionsOf(options) } : {}),
  };
}

/** The options that give a recipe, as one would type them. */
export function recipeWords(recipe: Partial<Recipe>): string[] {
  return [
    ...(recipe.scheme && recipe.scheme !== 'int8' ? ['--quantize', recipe.scheme] : []),
    ...(recipe.method ? ['--calibration', recipe.method] : []),
    ...[...(recipe.methodOfLayer ?? [])].flatMap(([layer, method]) => [
      '--calibration',
      `${layer}=${method}`,
    ]),
    ...(recipe.perTensor ? ['--per-tensor'] : []),
    ...(recipe.equalize ? ['--equalize'] : []),
    ...(recipe.correctBias ? ['--correct-bias'] : []),
    ...(recipe.learnRounding ? ['--adaround'] : []),
    ...[...(recipe.packedLayers ?? [])].flatMap((layer) => ['--int4', layer]),
    ...[...(recipe.precisionOfLayer ?? [])].flatMap(([layer, precision]) => [
      precisionFlags[precision],
      layer,
    ]),
  ];
}
