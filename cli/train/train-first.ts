import { isQuantized } from '../../converter/convert-model.ts';
import { optimize } from '../../converter/pipeline.ts';
import { alreadyQuantized } from '../../converter/prune/errors.ts';
import type { PruneTarget } from '../../converter/prune/prune-model.ts';
import { chooseRanges, type Ranges } from '../../converter/quant/calibrate.ts';
import { calibrationNeeded } from '../../converter/quant/errors.ts';
import { observe } from '../../converter/quant/quantize-model.ts';
import { defaultRecipe, type Recipe } from '../../converter/quant/recipe.ts';
import { tuneForStorage } from '../../converter/train/tune-model.ts';
import type { OptionSpec } from '../command.ts';
import type { Context } from '../context.ts';
import { readCalibration } from '../model/convert.ts';
import type { OpenModel } from '../model/open-model.ts';
import { trainingDataNeeded } from './errors.ts';
import { progressTeller, pruneOpenModel, readTrainingData } from './prune.ts';
import { type PruneFlags, parseTarget, pruneOptions, pruneSettings, tuneSettings } from './prune-options.ts';

/** Options of commands that can train a model before they convert it. */
export interface TrainFirstFlags extends PruneFlags {
  readonly prune?: PruneTarget;
  readonly qat?: boolean;
  readonly train?: string;
}

export const trainFirstOptions: readonly OptionSpec[] = [
  {
    flags: '--prune <metric=share>',
    help: 'prune first: what may be left of macs, bytes or instructions; needs --train',
    parse: parseTarget,
  },
  { flags: '--qat', help: 'quantization-aware fine-tuning first; needs --train' },
  { flags: '--train <data>', help: 'training samples x and labels y', path: 'input', setting: 'train' },
  ...pruneOptions,
];

/** A model that was trained, and what must go into its conversion. */
export interface TrainedModel {
  readonly model: OpenModel;
  readonly learnedRanges?: Ranges;
  /** Words of the command line that say what was done. */
  readonly words: readonly string[];
}

interface Place {
  readonly calib?: string | undefined;
  readonly board: string;
  /** Where the result will stand; a checkpoint is kept beside it. */
  readonly output: string;
  readonly recipe: Partial<Recipe>;
}

/** Prunes and tunes as the options say; without them the model comes back as it is. */
export async function trainFirst(
  context: Context,
  model: OpenModel,
  flags: TrainFirstFlags,
  place: Place,
): Promise<TrainedModel> {
  const { prune: target, qat, train } = flags;
  if (target === undefined && !qat) return { model, words: [] };
  if (isQuantized(model.graph)) throw alreadyQuantized(model.name);
  if (train === undefined) throw trainingDataNeeded(qat ? '--qat' : '--prune');
  const words = [
    ...(target ? ['--prune', `${target.metric}=${target.share}`] : []),
    ...(qat ? ['--qat'] : []),
  ];
  const pruned = target ? await prunedFirst(context, model, { ...flags, target }, train, place) : model;
  return { words, ...(qat ? await tuned(context, pruned, flags, train, place) : { model: pruned }) };
}

async function prunedFirst(
  context: Context,
  model: OpenModel,
  flags: TrainFirstFlags & { readonly target: PruneTarget },
  data: string,
  { board, output }: Place,
): Promise<OpenModel> {
  const { graph } = await pruneOpenModel(context, model, { ...pruneSettings(flags), data, board, output });
  return { ...model, graph };
}

async function tuned(
  context: Context,
  model: OpenModel,
  flags: TrainFirstFlags,
  data: string,
  { calib, recipe }: Place,
): Promise<Omit<TrainedModel, 'words'>> {
  if (calib === undefined) throw calibrationNeeded(model.graph.inputs.map((port) => port.shape));
  const graph = optimize(model.graph);
  const { method, methodOfLayer, perTensor } = { ...defaultRecipe, ...recipe };
  const { histograms } = await observe(graph, readCalibration(context, calib, model.graph));
  const ranges = await chooseRanges(graph, histograms, { method, ofLayer: methodOfLayer });
  const input = { graph, ...(await readTrainingData(context, model, data)) };
  const result = await context.output.step(`tune ${model.name}`, (progress) => {
    const tell = progressTeller(context, progress);
    return tuneForStorage(
      input,
      tuneSettings(flags),
      ranges,
      { perTensor, weightBits: 8 },
      {
        onProgress: (at) => tell({ ...at, round: 1, rounds: 1 }),
        breathe: () => context.lifetime.breathe(),
      },
    );
  });
  return { model: { ...model, graph: result.graph }, learnedRanges: result.ranges };
}
