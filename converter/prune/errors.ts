import { TinymlError } from '../../common/tinyml-error.ts';
import type { KeptLayer } from './channel-groups.ts';
import type { CostMetric } from './cost.ts';
import type { Sparsity } from './sparse-masks.ts';

const reasonsShown = 12;

const reasonLines = (kept: readonly KeptLayer[]) => [
  ...kept.slice(0, reasonsShown).map(({ layer, reason }) => `${layer} keeps its channels: ${reason}`),
  ...(kept.length > reasonsShown ? [`and ${kept.length - reasonsShown} more layers`] : []),
];

export function nothingToPrune(kept: readonly KeptLayer[]): TinymlError {
  return new TinymlError({
    code: 'E_PRUNE_NOTHING',
    exit: 3,
    what: 'no layer of the model can lose channels',
    measure: reasonLines(kept),
    hint: 'a model with one layer has nothing to prune; --quantize int8 makes its weights four times smaller',
  });
}

export function budgetNotReachable(
  metric: CostMetric,
  share: number,
  least: number,
  kept: readonly KeptLayer[],
): TinymlError {
  return new TinymlError({
    code: 'E_PRUNE_BUDGET',
    exit: 3,
    what: `the model cannot be pruned to ${metric}=${share}`,
    measure: [
      `with the fewest channels in every layer, ${metric}=${least.toFixed(3)} is left`,
      ...reasonLines(kept),
    ],
    hint: `ask for ${metric}=${Math.ceil(least * 100) / 100} or more, or start from a smaller architecture`,
  });
}

export function alreadyQuantized(fileName: string): TinymlError {
  return new TinymlError({
    code: 'E_PRUNE_QUANTIZED',
    exit: 1,
    what: `${fileName}: the model is quantized already; pruning works on float weights`,
    hint: 'prune the float model it was made from, and quantize the result',
  });
}

export function nothingToMask(): TinymlError {
  return new TinymlError({
    code: 'E_SPARSE_NOTHING',
    exit: 3,
    what: 'no layer of the model has enough weights to leave some out',
    measure: 'convolutions and fully connected layers with 256 weights or more count, all but the last one',
    hint: 'tinyml prune --target macs=0.5 removes whole channels instead',
  });
}

function sparsityText(sparsity: Sparsity): string {
  if (sparsity.kind === 'pattern') return `${sparsity.keep}:${sparsity.of}`;
  return `${sparsity.kind}=${sparsity.share}`;
}

export function noSparseGain(
  sparsity: Sparsity,
  { before, after }: { readonly before: number; readonly after: number },
): TinymlError {
  return new TinymlError({
    code: 'E_SPARSE_NO_GAIN',
    exit: 3,
    what: `zeros of the form ${sparsityText(sparsity)} make this model no faster`,
    measure: [
      `instructions with all weights: ${before}`,
      `instructions with such zeros:  ${after} (${((100 * (before - after)) / before).toFixed(1)} % fewer; 2 % are asked for)`,
    ],
    hint: 'kernels leave out whole blocks of zeros (--sparsity block=0.6); --target instructions=0.5 removes channels',
  });
}
