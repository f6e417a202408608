import { TinymlError } from '../../common/tinyml-error.ts';
import type { KeptLayer } from './channel-groups.ts';
import type { CostMetric } from './cost.ts';

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
