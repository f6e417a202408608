import { withBatch } from '../evaluate/batch.ts';
import { toGraphLayout } from '../evaluate/ports.ts';
import { turn } from '../evaluate/turn.ts';
import { tensorOf } from '../ir/graph.ts';
import { elementCount } from '../ir/tensor.ts';
import type { Graph, Value } from '../ir/types.ts';
import type { FloatTensor, Tf } from '../ops/define-op.ts';
import { Adam } from './adam.ts';
import { batchNotPossible, trainingDiverged } from './errors.ts';
import { type ForwardOptions, forward, trainableNames } from './forward.ts';
import { lossGraph, type Objective, type Teaching, targetLoss, teacherLoss } from './objective.ts';
import { shuffledIndices } from './random.ts';

/** Samples in the graph's own layout, one array for each input. */
export interface TrainingSet {
  readonly inputs: readonly Float32Array[];
  readonly count: number;
}

/** Samples in the user's axis order, moved to that of the graph. */
export function trainingSet(graph: Graph, inputs: readonly Float32Array[], count: number): TrainingSet {
  const moved = graph.inputs.map((port, i) => {
    const size = elementCount(port.shape);
    const all = new Float32Array(count * size);
    for (let n = 0; n < count; n++)
      all.set(toGraphLayout(port, inputs[i]!.subarray(n * size, (n + 1) * size)), n * size);
    return all;
  });
  return { inputs: moved, count };
}

export interface TrainerSetup {
  readonly data: TrainingSet;
  readonly objective: Objective;
  readonly teaching?: Teaching;
  readonly batch: number;
  readonly seed: number;
  /** Further numbers to learn beside the weights, such as the ends of ranges, by a name that no value has. */
  readonly extra?: ReadonlyMap<string, Float32Array>;
  /** What stands between values and their readers, such as simulated rounding; sees everything that is learned. */
  readonly forward?: (tf: Tf, tensors: ReadonlyMap<string, FloatTensor>) => ForwardOptions;
  /** Called after each step, to put weights back where they must stay. */
  readonly afterStep?: (weights: ReadonlyMap<string, Float32Array>) => void;
}

/** Called after each batch; throws to stop. */
export type OnBatch = (done: number, loss: number) => Promise<void> | void;

/** Rows `indices` of an array of `size` elements a row. */
function gather(source: Float32Array, size: number, indices: Int32Array): Float32Array {
  const rows = new Float32Array(indices.length * size);
  for (const [i, n] of indices.entries()) rows.set(source.subarray(n * size, (n + 1) * size), i * size);
  return rows;
}

/** One float graph under training; its weights are changed in place, its own constants stay as they are. */
export class Trainer {
  /** What is learned, by name: weights of the graph, and the extra numbers. */
  readonly weights: Map<string, Float32Array>;
  readonly adam: Adam;
  private readonly whole: Graph;
  private readonly graph: Graph;
  private readonly batched: Graph;
  private readonly tf: Tf;
  private readonly setup: TrainerSetup;
  private readonly batch: number;

  constructor(tf: Tf, graph: Graph, setup: TrainerSetup, adam = new Adam()) {
    this.tf = tf;
    this.setup = setup;
    this.adam = adam;
    this.whole = graph;
    this.graph = lossGraph(graph).graph;
    this.batch = Math.min(setup.batch, setup.objective.samples.length);
    const batched = this.batch === 1 ? this.graph : withBatch(this.graph, this.batch);
    if (!batched) throw batchNotPossible();
    this.batched = batched;
    const own = trainableNames(this.graph).map((name): [string, Float32Array] => [
      name,
      Float32Array.from(tensorOf(this.graph, name).data as Float32Array),
    ]);
    this.weights = new Map([...own, ...(setup.extra ?? [])]);
  }

  get stepsPerEpoch(): number {
    return Math.max(1, Math.floor(this.setup.objective.samples.length / this.batch));
  }

  /** The whole graph with the weights as they are now. */
  result(): Graph {
    const values = new Map<string, Value>(this.whole.values);
    for (const [name, data] of this.weights)
      if (!this.setup.extra?.has(name))
        values.set(name, { ...tensorOf(this.whole, name), data: data.slice() });
    return { ...this.whole, values };
  }

  /**
   * Steps over samples in an order that seed and epoch decide, at most one pass; `rateAt` gives the rate of each step.
   * Resolves to the mean loss.
   */
  async epoch(
    index: number,
    rateAt: (step: number) => number,
    steps = this.stepsPerEpoch,
    onBatch?: OnBatch,
  ): Promise<number> {
    const { samples } = this.setup.objective;
    const order = shuffledIndices(samples.length, this.setup.seed * 7919 + index);
    let sum = 0;
    for (let step = 0; step < steps; step++) {
      const picked = order.subarray(step * this.batch, (step + 1) * this.batch).map((i) => samples[i]!);
      const { loss, gradients } = this.gradients(picked);
      if (!Number.isFinite(loss)) throw trainingDiverged(index + 1, rateAt(step));
      this.adam.step(this.weights, gradients, rateAt(step));
      this.setup.afterStep?.(this.weights);
      sum += loss;
      await onBatch?.(step + 1, sum / (step + 1));
      await turn();
    }
    return sum / steps;
  }

  /** The weights as tensors, inside the caller's tidy. */
  tensors(): Map<string, FloatTensor> {
    return new Map(
      [...this.weights].map(([name, data]) => [
        name,
        this.tf.tensor(data, this.shapeOf(name, data)) as FloatTensor,
      ]),
    );
  }

  private shapeOf(name: string, data: Float32Array): number[] {
    return this.setup.extra?.has(name) ? [data.length] : [...tensorOf(this.graph, name).type.shape];
  }

  /** Loss and gradients of all weights for one batch of samples. */
  gradients(picked: Int32Array): { loss: number; gradients: Map<string, Float32Array> } {
    const { tf } = this;
    const names = [...this.weights.keys()];
    const gradients = new Map<string, Float32Array>();
    let loss = Number.NaN;
    tf.tidy(() => {
      const tensors = [...this.tensors().values()];
      const run = tf.valueAndGrads((...weights: FloatTensor[]) =>
        this.loss(picked, new Map(names.map((name, i) => [name, weights[i]!]))),
      );
      const { value, grads } = run(tensors);
      for (const [i, name] of names.entries()) gradients.set(name, grads[i]!.dataSync() as Float32Array);
      loss = value.dataSync()[0]!;
    });
    return { loss, gradients };
  }

  /** The loss of one batch as a tensor, for gradients of whatever the caller put into `options`. */
  loss(
    picked: Int32Array,
    weights: ReadonlyMap<string, FloatTensor>,
    options: ForwardOptions = this.setup.forward?.(this.tf, weights) ?? {},
  ): FloatTensor {
    const { tf, graph, setup } = this;
    const { objective, teaching } = setup;
    const inputs = new Map(
      graph.inputs.map((port, i) => {
        const size = elementCount(port.shape);
        const shape = [...tensorOf(this.batched, port.value).type.shape];
        return [port.value, tf.tensor(gather(setup.data.inputs[i]!, size, picked), shape)];
      }),
    );
    const result = forward(tf, this.batched, weights, inputs, options);
    const logits = tf.reshape(result, [picked.length, result.size / picked.length]);
    const rows = (source: Float32Array, width: number) =>
      tf.tensor(gather(source, width, picked), width === 1 ? [picked.length] : [picked.length, width]);
    const share = teaching ? (objective.targets ? teaching.share : 1) : 0;
    const terms: FloatTensor[] = [];
    if (objective.targets && share < 1) {
      const targets = rows(objective.targets, objective.width);
      terms.push(tf.mul(targetLoss(tf, objective.kind, logits, targets), 1 - share));
    }
    if (teaching && share > 0) {
      const teacher = tf.reshape(rows(teaching.outputs, logits.shape[1]!), logits.shape);
      terms.push(tf.mul(teacherLoss(tf, objective.kind, logits, teacher, teaching.temperature), share));
    }
    return tf.addN(terms);
  }
}
