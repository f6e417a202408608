import { toGraphLayout } from '../evaluate/ports.ts';
import { pruneUnused, viewOf } from '../ir/graph.ts';
import { elementCount } from '../ir/tensor.ts';
import type { Graph } from '../ir/types.ts';
import type { FloatTensor, Tf } from '../ops/define-op.ts';
import { labelsNeeded, labelTooLarge, targetsDoNotFit } from './errors.ts';

/** What training minimizes: `classes` compares logits with a class, `binary` one logit, `values` wanted outputs. */
export type ObjectiveKind = 'classes' | 'binary' | 'values';

export interface Objective {
  readonly kind: ObjectiveKind;
  /** Numbers that the loss compares with, `width` for each sample; a class counts as one number. */
  readonly targets: Float32Array | undefined;
  readonly width: number;
  /** Indices of the samples to train on. */
  readonly samples: Int32Array;
}

/** The part of a graph that the loss looks at. */
export interface LossGraph {
  readonly graph: Graph;
  readonly head: 'softmax' | 'logistic' | 'none';
}

/** The graph up to the logits: a last softmax or logistic belongs to the loss. Only the first output is trained. */
export function lossGraph(graph: Graph): LossGraph {
  const port = graph.outputs[0]!;
  const last = viewOf(graph).producer(port.value);
  const head = last?.op === 'softmax' || last?.op === 'logistic' ? last.op : 'none';
  const value = head === 'none' ? port.value : last!.inputs[0]!;
  return { graph: pruneUnused({ ...graph, outputs: [{ ...port, value }] }), head };
}

/** Labels as they stand in a data file, and its name for messages. */
export interface TrainingLabels {
  readonly file: string;
  readonly data?: ArrayLike<number>;
}

function everySample(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => i);
}

function chosenClass(file: string, labels: ArrayLike<number>, classes: number): Float32Array {
  const worst = Array.from(labels).find((label) => label >= classes);
  if (worst !== undefined) throw labelTooLarge(file, worst, classes);
  return Float32Array.from(labels);
}

/**
 * What to train for, by what model and labels allow, as `tinyml eval` scores it: wanted outputs by mean squared error;
 * an autoencoder (as many outputs as inputs) to reproduce samples of class 0; one output as a binary class; several
 * as classes. Without labels targets are absent, and only another model can teach.
 */
export function objectiveFor(
  graph: Graph,
  inputs: readonly Float32Array[],
  count: number,
  labels: TrainingLabels,
  mayTeachOnly: boolean,
): Objective {
  const port = graph.outputs[0]!;
  const width = elementCount(port.shape);
  const inputSize = graph.inputs.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  const { data, file } = labels;
  const samples = everySample(count);
  const toTargets = (source: ArrayLike<number>) => {
    const targets = new Float32Array(count * width);
    for (let n = 0; n < count; n++) {
      const one = Float32Array.from({ length: width }, (_, i) => source[n * width + i]!);
      targets.set(toGraphLayout(port, one), n * width);
    }
    return targets;
  };
  const perSample = data ? data.length / count : 1;
  if (data && perSample > 1) {
    if (perSample !== width) throw targetsDoNotFit(file, perSample, width);
    return { kind: 'values', targets: toTargets(data), width, samples };
  }
  if (width > 1 && inputSize === width && graph.inputs.length === 1) {
    const normal = data ? samples.filter((n) => data[n] === 0) : samples;
    return { kind: 'values', targets: toTargets(inputs[0]!), width, samples: normal };
  }
  if (!data && !mayTeachOnly) throw labelsNeeded(file);
  if (width === 1) {
    return { kind: 'binary', targets: data && chosenClass(file, data, 2), width: 1, samples };
  }
  return { kind: 'classes', targets: data && chosenClass(file, data, width), width: 1, samples };
}

/** How an unpruned model teaches: its logits or outputs, and how much they count beside the labels. */
export interface Teaching {
  /** [count, width] in the graph's layout. */
  readonly outputs: Float32Array;
  /** Share of the loss that compares with the teacher, 0 to 1. */
  readonly share: number;
  /** Softens both distributions (Hinton, Vinyals and Dean, 2015). */
  readonly temperature: number;
}

/** Mean loss of a batch of results [batch, width] against targets. */
export function targetLoss(
  tf: Tf,
  kind: ObjectiveKind,
  logits: FloatTensor,
  targets: FloatTensor,
): FloatTensor {
  if (kind === 'values') return tf.mean(tf.square(tf.sub(logits, targets)));
  if (kind === 'binary') {
    // log(1 + exp(z)) - z * y, stable for either sign.
    const z = tf.reshape(logits, targets.shape);
    return tf.mean(tf.sub(tf.softplus(z), tf.mul(z, targets)));
  }
  const classes = tf.oneHot(tf.cast(targets, 'int32') as never, logits.shape[1]!);
  return tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(logits), classes), 1)));
}

/** Distance from the teacher: cross-entropy of softened classes, or squared distance. */
export function teacherLoss(
  tf: Tf,
  kind: ObjectiveKind,
  logits: FloatTensor,
  teacher: FloatTensor,
  temperature: number,
): FloatTensor {
  if (kind !== 'classes') return tf.mean(tf.square(tf.sub(logits, teacher)));
  const soft = tf.softmax(tf.div(teacher, temperature));
  const own = tf.logSoftmax(tf.div(logits, temperature));
  return tf.mul(tf.neg(tf.mean(tf.sum(tf.mul(own, soft), 1))), temperature * temperature);
}
