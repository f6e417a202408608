import type { Graph } from '../ir/types.ts';
import type { Score } from '../metrics/metric.ts';
import type { Trainer } from '../train/trainer.ts';
import { type TrainingInput, TrainingSession, type TrainingSettings } from '../train/training-session.ts';
import { noSparseGain, nothingToMask } from './errors.ts';
import { planUnits } from './plan-units.ts';
import { applyMasks, type Masks, maskedGraph, masksFor, type Sparsity, zeroShare } from './sparse-masks.ts';

export interface SparsifyHooks {
  onProgress?(progress: { done: number; total: number; loss: number; round: number; rounds: number }): void;
  breathe?(): Promise<void>;
  /** Instructions of one inference on a board. */
  measure(graph: Graph): Promise<number>;
}

export interface SparsifiedModel {
  readonly graph: Graph;
  /** Zeros among the weights of the layers that have any. */
  readonly zeros: number;
  readonly measured: { readonly before: number; readonly after: number };
  readonly score: { readonly before: Score; readonly after: Score } | null;
}

/** Less than this is no gain: it may be gone with the next kernel. */
const leastGain = 0.02;

function atShare(sparsity: Sparsity, left: number): Sparsity {
  return sparsity.kind === 'pattern' ? sparsity : { kind: sparsity.kind, share: 1 - left };
}

function maskedTrainer(session: TrainingSession, graph: Graph, masks: Masks): Trainer {
  return session.trainer(graph, undefined, { afterStep: (weights) => applyMasks(weights, masks) });
}

/**
 * Sets weights to zero by magnitude, in rounds with training between that respects them. Measures first what the
 * kernels make of such zeros, and throws E_SPARSE_NO_GAIN with the numbers where that is nothing.
 */
export async function sparsifyModel(
  input: TrainingInput,
  settings: TrainingSettings & { readonly fineTune: boolean },
  sparsity: Sparsity,
  hooks: SparsifyHooks,
): Promise<SparsifiedModel> {
  const first = masksFor(input.graph, sparsity);
  if (first.size === 0) throw nothingToMask();
  const measured = {
    before: await hooks.measure(input.graph),
    after: await hooks.measure(maskedGraph(input.graph, first)),
  };
  if (measured.after > measured.before * (1 - leastGain)) throw noSparseGain(sparsity, measured);
  const session = await TrainingSession.open(input, settings, settings.fineTune);
  const before = await session.score(input.graph);
  const left = sparsity.kind === 'pattern' ? sparsity.keep / sparsity.of : 1 - sparsity.share;
  const schedule = sparsity.kind === 'pattern' ? 'one-shot' : 'gradual';
  const epochs = settings.fineTune ? settings.epochs : 0;
  const units = planUnits(schedule, epochs, session.stepsPerEpoch, left);
  const total = units.reduce((sum, unit) => sum + unit.steps, 0);
  let [graph, masks, done] = [input.graph, first, 0];
  let trainer: Trainer | undefined;
  for (const [index, unit] of units.entries()) {
    if (unit.share !== undefined) {
      const held = masksFor(graph, atShare(sparsity, unit.share));
      [masks, graph, trainer] = [held, maskedGraph(graph, held), undefined];
    }
    if (unit.steps === 0) continue;
    trainer ??= maskedTrainer(session, graph, masks);
    const start = done;
    await trainer.epoch(
      index,
      (step) => settings.rate * unit.rateAt(step),
      unit.steps,
      async (step, loss) => {
        const rounds = units.at(-1)!.round + 1;
        hooks.onProgress?.({ done: start + step, total, loss, round: unit.round + 1, rounds });
        await hooks.breathe?.();
      },
    );
    graph = trainer.result();
    done += unit.steps;
  }
  const after = await session.score(graph);
  return {
    graph,
    zeros: zeroShare(graph, masks),
    measured: { before: measured.before, after: await hooks.measure(graph) },
    score: before && after ? { before, after } : null,
  };
}
