import type { Graph } from '../ir/types.ts';
import type { Range } from '../quant/range.ts';
import { lossGraph } from './objective.ts';
import { type TrainingInput, TrainingSession, type TrainingSettings } from './training-session.ts';
import { type StorageForm, simulateStorage } from './tune-quantized.ts';

export interface TuneHooks {
  onProgress?(progress: { done: number; total: number; loss: number }): void;
  breathe?(): Promise<void>;
}

export interface TunedModel {
  /** Float weights that stand rounding better than before. */
  readonly graph: Graph;
  /** The calibrated ranges with what was learned in their place. */
  readonly ranges: ReadonlyMap<string, Range>;
  /** Mean loss of the first and the last epoch. */
  readonly loss: { readonly first: number; readonly last: number };
}

/** The rate falls from its highest to zero along a half cosine. */
const cosine = (progress: number) => (1 + Math.cos(Math.PI * progress)) / 2;

/**
 * Quantization-aware fine-tuning: trains a float graph while weights and activations are rounded as int8 storage will
 * round them, gradients going straight through (Jacob et al., 2018), and learns the ends of the ranges. `ranges` are
 * those that calibration found. The same input and seed give the same result.
 */
export async function tuneForStorage(
  input: TrainingInput,
  settings: TrainingSettings,
  ranges: ReadonlyMap<string, Range>,
  form: StorageForm,
  hooks: TuneHooks = {},
): Promise<TunedModel> {
  const session = await TrainingSession.open(input, settings, true);
  const simulation = simulateStorage(lossGraph(input.graph).graph, ranges, form);
  const trainer = session.trainer(input.graph, undefined, simulation);
  const total = Math.max(1, Math.round(settings.epochs * trainer.stepsPerEpoch));
  const losses: number[] = [];
  for (let done = 0, epoch = 0; done < total; epoch++) {
    const steps = Math.min(trainer.stepsPerEpoch, total - done);
    const first = done;
    const rate = (step: number) => settings.rate * cosine((first + step) / total);
    const loss = await trainer.epoch(epoch, rate, steps, async (step, mean) => {
      hooks.onProgress?.({ done: first + step, total, loss: mean });
      await hooks.breathe?.();
    });
    losses.push(loss);
    done += steps;
  }
  const graph = trainer.result();
  return {
    graph,
    ranges: new Map([...ranges, ...simulation.learned(trainer.weights)]),
    loss: { first: losses[0]!, last: losses.at(-1)! },
  };
}
