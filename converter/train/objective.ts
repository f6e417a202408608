import { toGraphLayout } from '../evaluate/ports.ts';
import { pruneUnused, viewOf } from '../ir/graph.ts';
import { elementCount } from '../ir/tensor.ts';
import type { Graph, Port } from '../ir/types.ts';
import type { Task } from '../metrics/labels.ts';
import type { Metric } from '../metrics/metric.ts';
import type { FloatTensor, Tf } from '../ops/define-op.ts';
import { labelsNeeded } from './errors.ts';

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

/** What to train for (`metrics/judge-labels.ts`), and how the result is scored. */
export interface TrainingLabels {
  /** The data file, for messages. */
  readonly file: string;
  readonly task: Task;
  readonly metric: Metric;
  /** Class numbers from 0, or wanted outputs in the user's axis order; absent where the file has none. */
  readonly data?: ArrayLike<number>;
}

function everySample(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => i);
}

/** Numbers of `count` samples in the layout of the graph's output. */
function inGraphLayout(port: Port, count: number, source: ArrayLike<number>): Float32Array {
  const width = elementCount(port.shape);
  const targets = new Float32Array(count * width);
  for (let n = 0; n < count; n++) {
    const one = Float32Array.from({ length: width }, (_, i) => source[n * width + i]!);
    targets.set(toGraphLayout(port, one), n * width);
  }
  return targets;
}

/**
 * What to train for, as `tinyml eval` scores it: wanted outputs by mean squared error; an autoencoder to reproduce
 * samples of class 0; one output as a binary class; several as classes. Without labels targets are absent, and only
 * another model can teach.
 */
export function objectiveFor(
  graph: Graph,
  inputs: readonly Float32Array[],
  count: number,
  { file, task, data }: TrainingLabels,
  mayTeachOnly: boolean,
): Objective {
  const port = graph.outputs[0]!;
  const width = elementCount(port.shape);
  const samples = everySample(count);
  if (task === 'anomaly') {
    const normal = data ? samples.filter((n) => data[n] === 0) : samples;
    return { kind: 'values', targets: inGraphLayout(port, count, inputs[0]!), width, samples: normal };
  }
  if (!data && !mayTeachOnly) throw labelsNeeded(file);
  if (task === 'regression')
    return { kind: 'values', targets: data && inGraphLayout(port, count, data), width, samples };
  const kind = task === 'binary' ? 'binary' : 'classes';
  return { kind, targets: data && Float32Array.from(data), width: 1, samples };
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
