import { type CalibrationMethod, calibrationMethods } from '../../converter/quant/choose-range.ts';
import type { Precision } from '../../converter/quant/precision.ts';
import { type Clustering, clusterings, type Recipe } from '../../converter/quant/recipe.ts';
import type { OptionParser, OptionSpec } from '../command.ts';
import { wrongChoice } from '../errors.ts';

/** A choice for all layers, or for one. */
type LayerWord<Choice> = readonly [layer: string | undefined, choice: Choice];

/** The options of every command that quantizes. */
export interface RecipeOptions {
  readonly calibration?: readonly LayerWord<CalibrationMethod>[];
  readonly perTensor?: boolean;
  readonly equalize?: boolean;
  readonly correctBias?: boolean;
  readonly adaround?: boolean;
  readonly cluster?: readonly LayerWord<Clustering>[];
  readonly int16?: readonly string[];
  readonly int4?: readonly string[];
  readonly keepFloat?: readonly string[];
}

/** Parses `CHOICE` or `LAYER=CHOICE`. */
function layerWord<Choice extends string | number>(choices: readonly Choice[]): OptionParser {
  return (text, name): LayerWord<Choice> => {
    const split = text.lastIndexOf('=');
    const word = text.slice(split + 1);
    const known = choices.find((one) => String(one) === word);
    if (known === undefined) throw wrongChoice(name, word, choices.map(String));
    return [split > 0 ? text.slice(0, split) : undefined, known];
  };
}

/** The last choice for all layers, and those for single ones. */
function spread<Choice>(words: readonly LayerWord<Choice>[] = []) {
  const ofAll = words.findLast(([layer]) => layer === undefined)?.[1];
  const ofLayer = words.filter((word): word is [string, Choice] => word[0] !== undefined);
  return { ofAll, ofLayer: ofLayer.length > 0 ? new Map(ofLayer) : undefined };
}

export const recipeOptions: readonly OptionSpec[] = [
  {
    flags: '--calibration <method>',
    help: `how ranges are chosen: ${calibrationMethods.join(', ')} (default: mse); LAYER=METHOD for one layer (may be repeated)`,
    parse: layerWord(calibrationMethods),
    repeat: true,
  },
  { flags: '--per-tensor', help: 'one weight scale a layer, as older runtimes need it' },
  { flags: '--equalize', help: 'balance the channels of neighbouring layers first' },
  { flags: '--correct-bias', help: 'take out what quantization adds to the mean of each channel' },
  { flags: '--adaround', help: 'round each weight up or down as the result of its layer needs it' },
  {
    flags: '--cluster <count>',
    help: 'only 16 or 32 different weights in each convolution, for --weights coded; LAYER=16, LAYER=32 or LAYER=none for one layer (may be repeated)',
    parse: layerWord(clusterings),
    repeat: true,
  },
  {
    flags: '--int4 <layer>',
    help: 'weights of this convolution or fully connected layer in 4 bits, or of all (may be repeated)',
    path: 'none',
    repeat: true,
  },
  {
    flags: '--keep-float <layer>',
    help: 'this layer computes in float, with conversions around it (may be repeated)',
    path: 'none',
    repeat: true,
  },
  {
    flags: '--int16 <layer>',
    help: '16-bit activations in this layer (may be repeated)',
    path: 'none',
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
  const calibration = spread(options.calibration);
  const cluster = spread(options.cluster);
  return {
    ...(calibration.ofAll ? { method: calibration.ofAll } : {}),
    ...(calibration.ofLayer ? { methodOfLayer: calibration.ofLayer } : {}),
    ...(cluster.ofAll ? { clusterTo: cluster.ofAll } : {}),
    ...(cluster.ofLayer ? { clusterOfLayer: cluster.ofLayer } : {}),
    ...(options.perTensor ? { perTensor: true } : {}),
    ...(options.equalize ? { equalize: true } : {}),
    ...(options.correctBias ? { correctBias: true } : {}),
    ...(options.adaround ? { learnRounding: true } : {}),
    ...(options.int4 ? { packedLayers: new Set(options.int4) } : {}),
    ...(options.int16 || options.keepFloat ? { precisionOfLayer: precisionsOf(options) } : {}),
  };
}

const layerWords = (flag: string, choices: ReadonlyMap<string, string | number> = new Map()) =>
  [...choices].flatMap(([layer, choice]) => [flag, `${layer}=${choice}`]);

/** The options that give a recipe, as one would type them. */
export function recipeWords(recipe: Partial<Recipe>): string[] {
  return [
    ...(recipe.scheme && recipe.scheme !== 'int8' ? ['--quantize', recipe.scheme] : []),
    ...(recipe.method ? ['--calibration', recipe.method] : []),
    ...layerWords('--calibration', recipe.methodOfLayer),
    ...(recipe.perTensor ? ['--per-tensor'] : []),
    ...(recipe.equalize ? ['--equalize'] : []),
    ...(recipe.correctBias ? ['--correct-bias'] : []),
    ...(recipe.learnRounding ? ['--adaround'] : []),
    ...(recipe.clusterTo && recipe.clusterTo !== 'none' ? ['--cluster', String(recipe.clusterTo)] : []),
    ...layerWords('--cluster', recipe.clusterOfLayer),
    ...[...(recipe.packedLayers ?? [])].flatMap((layer) => ['--int4', layer]),
    ...[...(recipe.precisionOfLayer ?? [])].flatMap(([layer, precision]) => [
      precisionFlags[precision],
      layer,
    ]),
  ];
}
