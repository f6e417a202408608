import { floatBatch } from '../../converter/evaluate/encode.ts';
import type { Graph } from '../../converter/ir/types.ts';
import { optimize } from '../../converter/pipeline.ts';
import { pruneModel } from '../../converter/prune/prune-model.ts';
import type { TrainingInput } from '../../converter/train/training-session.ts';
import type { Context } from '../context.ts';
import type { OpenModel } from '../model/open-model.ts';
import type { TrialPruning } from './knobs.ts';
import type { LabelledSamples } from './labelled-samples.ts';

/** Pruned graphs that are kept; many trials differ in quantization alone. */
const keptGraphs = 24;
/** As `tinyml prune` has them where nothing else is said. */
const usual = { step: 4, distill: true, batch: 32, rate: 0.002 } as const;

/** Removes channels of one model and trains what is left; the same wish gives the same graph. */
export class Pruner {
  private readonly model: OpenModel;
  private readonly samples: LabelledSamples;
  private readonly seed: number;
  private readonly graphs = new Map<string, Graph>();
  private input: TrainingInput | undefined;

  constructor(model: OpenModel, samples: LabelledSamples, seed: number) {
    this.model = model;
    this.samples = samples;
    this.seed = seed;
  }

  async prune(context: Context, { share, criterion, epochs, schedule }: TrialPruning): Promise<Graph> {
    const key = JSON.stringify([share, criterion, epochs, schedule]);
    const known = this.graphs.get(key);
    if (known) return known;
    this.input ??= this.read();
    const training = { ...usual, fineTune: epochs > 0, epochs: Math.max(1, epochs), seed: this.seed };
    const settings = { target: { metric: 'macs', share }, criterion, schedule, ...training } as const;
    const hooks = { breathe: () => context.lifetime.breathe() };
    const { graph } = await pruneModel(this.input, settings, hooks, undefined);
    const [oldest] = this.graphs.keys();
    if (this.graphs.size >= keptGraphs && oldest !== undefined) this.graphs.delete(oldest);
    this.graphs.set(key, graph);
    return graph;
  }

  private read(): TrainingInput {
    const { inputs, labels, metric } = this.samples.first(this.samples.count);
    return {
      graph: optimize(this.model.graph),
      inputs: floatBatch(inputs),
      count: this.samples.count,
      labels: { file: this.model.name, task: labels.task, metric, data: labels.data },
    };
  }
}
