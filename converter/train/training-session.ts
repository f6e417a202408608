import { evaluateFloat, type FloatBatch } from '../evaluate/float.ts';
import { toGraphLayout } from '../evaluate/ports.ts';
import { elementCount } from '../ir/tensor.ts';
import type { Graph } from '../ir/types.ts';
import { labelsAt } from '../metrics/labels.ts';
import { type Score, scoreBy } from '../metrics/metric.ts';
import type { Tf } from '../ops/define-op.ts';
import { Adam, type AdamState } from './adam.ts';
import { loadTraining } from './load-training.ts';
import { lossGraph, type Objective, objectiveFor, type Teaching, type TrainingLabels } from './objective.ts';
import { shuffledIndices } from './random.ts';
import { Trainer, type TrainerSetup, type TrainingSet, trainingSet } from './trainer.ts';

/** A model and the user's data to train it on. */
export interface TrainingInput {
  /** Optimized, float. */
  readonly graph: Graph;
  /** Samples in the user's axis order. */
  readonly inputs: FloatBatch;
  readonly count: number;
  readonly labels: TrainingLabels;
}

export interface TrainingSettings {
  /** Learn from the original model beside the labels. */
  readonly distill: boolean;
  readonly epochs: number;
  /** Samples a step. */
  readonly batch: number;
  /** Highest learning rate. */
  readonly rate: number;
  readonly seed: number;
}

/** Softening that keeps what the teacher says of wrong classes, and its share of the loss. */
const [temperature, teacherShare] = [4, 0.7];
/** Share of the samples that is held out to tell how good the result is, and the most of them. */
const [heldOutShare, mostHeldOut] = [0.1, 1000];

/** Samples `indices` of an array that holds `size` numbers for each. */
export function samplesAt(source: Float32Array, size: number, indices: Int32Array): Float32Array {
  const rows = new Float32Array(indices.length * size);
  for (const [i, n] of indices.entries()) rows.set(source.subarray(n * size, (n + 1) * size), i * size);
  return rows;
}

/** Samples for training and those held out. */
function split(samples: Int32Array, seed: number): { training: Int32Array; heldOut: Int32Array } {
  const order = shuffledIndices(samples.length, seed);
  const held = samples.length < 20 ? 0 : Math.min(mostHeldOut, Math.round(samples.length * heldOutShare));
  const pick = (indices: Int32Array) => indices.map((i) => samples[i]!).sort();
  return { training: pick(order.subarray(held)), heldOut: pick(order.subarray(0, held)) };
}

/** Logits, or outputs, of the original model for all samples, in the graph's layout. */
async function teacherOf(input: TrainingInput): Promise<Teaching> {
  const { graph } = lossGraph(input.graph);
  const port = graph.outputs[0]!;
  const [user] = await evaluateFloat(graph, input.inputs, input.count);
  const size = elementCount(port.shape);
  const outputs = new Float32Array(user!.length);
  for (let n = 0; n < input.count; n++)
    outputs.set(toGraphLayout(port, user!.subarray(n * size, (n + 1) * size)), n * size);
  return { outputs, share: teacherShare, temperature };
}

/** An autoencoder trains on normal samples only, but is scored on all others too. */
function scoredSamples(
  { labels, count }: TrainingInput,
  heldOut: Int32Array,
  training: Int32Array,
): Int32Array {
  if (!labels.data || training.length + heldOut.length === count) return heldOut;
  const trained = new Set(training);
  return Int32Array.from({ length: count }, (_, i) => i).filter((n) => !trained.has(n));
}

/** Everything that training of one model on the user's data needs, and its score on samples that it does not see. */
export class TrainingSession {
  readonly tf: Tf;
  readonly input: TrainingInput;
  readonly settings: TrainingSettings;
  /** Absent where nothing is trained. */
  readonly objective: Objective | undefined;
  private readonly heldOut: Int32Array;
  private readonly teaching: Teaching | undefined;
  private readonly data: TrainingSet;

  private constructor(
    tf: Tf,
    input: TrainingInput,
    settings: TrainingSettings,
    objective: Objective | undefined,
    teaching: Teaching | undefined,
  ) {
    const all = Int32Array.from({ length: input.count }, (_, i) => i);
    const { training, heldOut } = split(objective?.samples ?? all, settings.seed);
    this.tf = tf;
    this.input = input;
    this.settings = settings;
    this.objective = objective && { ...objective, samples: training };
    this.heldOut = scoredSamples(input, heldOut, training);
    this.teaching = teaching;
    this.data = trainingSet(input.graph, input.inputs, input.count);
  }

  /** Throws E_TRAIN_LABELS where labels are needed and absent. */
  static async open(
    input: TrainingInput,
    settings: TrainingSettings,
    trains: boolean,
  ): Promise<TrainingSession> {
    const { graph, inputs, count, labels } = input;
    const objective = trains ? objectiveFor(graph, inputs, count, labels, settings.distill) : undefined;
    const teaching = settings.distill && trains ? await teacherOf(input) : undefined;
    return new TrainingSession(await loadTraining(), input, settings, objective, teaching);
  }

  get stepsPerEpoch(): number {
    const samples = this.objective?.samples.length ?? 0;
    return Math.max(1, Math.floor(samples / Math.min(this.settings.batch, Math.max(1, samples))));
  }

  trainer(
    graph: Graph,
    adam?: AdamState,
    more: Pick<TrainerSetup, 'extra' | 'forward' | 'afterStep'> = {},
  ): Trainer {
    const { batch, seed } = this.settings;
    const teaching = this.teaching ? { teaching: this.teaching } : {};
    const setup = { data: this.data, objective: this.objective!, ...teaching, batch, seed, ...more };
    return new Trainer(this.tf, graph, setup, new Adam(adam));
  }

  /** Up to `most` samples that training may see, spread evenly. */
  typicalSamples(most: number): { inputs: FloatBatch; count: number } {
    const { count, inputs } = this.input;
    const held = new Set(this.heldOut);
    const all = Int32Array.from({ length: count }, (_, i) => i).filter((n) => !held.has(n));
    const stride = Math.max(1, Math.floor(all.length / most));
    const picked = all.filter((_, i) => i % stride === 0).subarray(0, most);
    return {
      inputs: inputs.map((source) => samplesAt(source, source.length / count, picked)),
      count: picked.length,
    };
  }

  /** How good a graph is on the samples held out; undefined without labels. */
  async score(graph: Graph): Promise<Score | undefined> {
    const { inputs, count, labels } = this.input;
    const { data, metric, task } = labels;
    if (!data || this.heldOut.length === 0) return undefined;
    const samples = inputs.map((source) => samplesAt(source, source.length / count, this.heldOut));
    const [outputs] = await evaluateFloat(graph, samples, this.heldOut.length);
    const all = { data, task, shape: [count, data.length / count] };
    return scoreBy(metric, samples[0]!, outputs!, labelsAt(all, this.heldOut));
  }
}
