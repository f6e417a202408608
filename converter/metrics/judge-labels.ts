import { elementCount as count } from '../ir/tensor.ts';
import type { Shape } from '../ir/types.ts';
import { labelOutOfRange, labelRowsDoNotFit, labelsNotFinite } from './errors.ts';
import { type Labels, labelsPerSample, type Task, type TaskLabels } from './labels.ts';

/** What model and samples say of the task, beside the labels. */
export interface TaskEvidence {
  /** Shapes of one sample and its result, as the user exported the model. */
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  /** Whether the outputs are the inputs again, more or less; asked only where nothing else decides. */
  reproduces(): Promise<boolean>;
  /** Tasks that the user's metric is for, where he names one; they decide what labels leave open. */
  readonly allowed?: readonly Task[] | undefined;
}

export interface JudgedTask {
  readonly task: Task;
  /** Absent where the data have none. */
  readonly labels: TaskLabels | undefined;
  /** What was decided for the user, in sentences. */
  readonly notes: readonly string[];
}

function mayReproduce({ inputShape, outputShape }: TaskEvidence): boolean {
  return count(outputShape) > 1 && count(inputShape) === count(outputShape);
}

/** The class of each row that holds a single 1 and zeros, or undefined where a row is anything else. */
function classesOfRows({ data }: Labels, width: number): Float64Array | undefined {
  const classes = new Float64Array(data.length / width).fill(-1);
  for (let i = 0; i < data.length; i++) {
    const row = Math.floor(i / width);
    if (data[i] === 0) continue;
    if (data[i] !== 1 || classes[row] !== -1) return undefined;
    classes[row] = i % width;
  }
  return classes.includes(-1) ? undefined : classes;
}

const mayBe = ({ allowed }: TaskEvidence, task: Task) => allowed === undefined || allowed.includes(task);

function labelRows(file: string, labels: Labels, outputs: number, evidence: TaskEvidence): JudgedTask {
  const each = labelsPerSample(labels);
  if (each !== outputs) throw labelRowsDoNotFit(file, each, outputs);
  const data = mayBe(evidence, 'classification') ? classesOfRows(labels, each) : undefined;
  if (!data) return { task: 'regression', labels: { ...labels, task: 'regression' }, notes: [] };
  const classes: TaskLabels = { data, shape: [data.length], task: 'classification' };
  return {
    task: 'classification',
    labels: classes,
    notes: ['y is one-hot: the place of the 1 is the class'],
  };
}

interface LabelFacts {
  readonly least: number;
  readonly most: number;
  readonly whole: boolean;
  /** Up to 3; more make no difference. */
  readonly distinct: number;
}

function factsOf({ data }: Labels): LabelFacts {
  let [least, most, whole] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, true];
  const distinct = new Set<number>();
  for (let i = 0; i < data.length; i++) {
    const label = data[i]!;
    if (label < least) least = label;
    if (label > most) most = label;
    whole &&= Number.isInteger(label);
    if (distinct.size < 3) distinct.add(label);
  }
  return { least, most, whole, distinct: distinct.size };
}

/** Of two kinds of labels ({0, 1}, {-1, 1}, {1, 2}) the greater is the positive class; otherwise all but 0 are. */
function isPositive(label: number, { least, most, distinct }: LabelFacts): boolean {
  if (distinct === 2) return label === most;
  return distinct === 1 ? least > 0 : label !== 0;
}

/** One output: two kinds of labels tell classes, anything else is a value to be met. */
function singleOutput(labels: Labels, facts: LabelFacts, evidence: TaskEvidence): JudgedTask {
  const usual = facts.distinct <= 2 && facts.whole ? 'binary' : 'regression';
  const task = mayBe(evidence, usual) ? usual : usual === 'binary' ? 'regression' : 'binary';
  if (task === 'regression') return { task, labels: { ...labels, task }, notes: [] };
  const positive = (label: number) => isPositive(label, facts);
  const data = Float64Array.from(labels.data, (label) => (positive(label) ? 1 : 0));
  return { task, labels: { data, shape: labels.shape, task }, notes: [] };
}

/** Class numbers, from 0 or from 1 throughout. Throws E_DATA_LABELS with the first that can be neither. */
function classNumbers(file: string, labels: Labels, facts: LabelFacts, classes: number): JudgedTask {
  const { data } = labels;
  const task = 'classification';
  const first = facts.most === classes && facts.least >= 1 ? 1 : 0;
  for (let i = 0; i < data.length; i++) {
    const label = data[i]! - first;
    if (!(Number.isInteger(label) && label >= 0 && label < classes))
      throw labelOutOfRange(file, i, data[i]!, classes);
  }
  if (first === 0) return { task, labels: { ...labels, task }, notes: [] };
  const shifted = Float64Array.from(data, (label) => label - 1);
  const notes = [
    `labels run from ${facts.least} to ${facts.most}: 1 is taken for the first of ${classes} outputs`,
  ];
  return { task, labels: { data: shifted, shape: labels.shape, task }, notes };
}

const anomalyNote =
  'as many outputs as inputs, and they follow the inputs: judged as an autoencoder (class 0 is normal)';

function requireFinite(file: string, { data }: Labels): void {
  for (let i = 0; i < data.length; i++)
    if (!Number.isFinite(data[i]!)) throw labelsNotFinite(file, i, data[i]!);
}

async function isAnomalyTask(evidence: TaskEvidence, labelsDecide: boolean): Promise<boolean> {
  if (!mayReproduce(evidence) || !mayBe(evidence, 'anomaly')) return false;
  if (evidence.allowed !== undefined && !mayBe(evidence, 'classification')) return true;
  return evidence.allowed === undefined && !labelsDecide && evidence.reproduces();
}

/** Classes that fill the outputs say classification; otherwise it counts whether the model reproduces its input. */
async function severalOutputs(file: string, labels: Labels, evidence: TaskEvidence): Promise<JudgedTask> {
  const classes = count(evidence.outputShape);
  const facts = factsOf(labels);
  const filled = facts.most === classes - 1 || facts.most === classes;
  if (await isAnomalyTask(evidence, !facts.whole || filled)) {
    return { task: 'anomaly', labels: { ...labels, task: 'anomaly' }, notes: [anomalyNote] };
  }
  return classNumbers(file, labels, facts, classes);
}

/** Without labels the model alone tells what it is for. */
async function withoutLabels(evidence: TaskEvidence): Promise<JudgedTask> {
  if (mayReproduce(evidence) && (await evidence.reproduces()))
    return { task: 'anomaly', labels: undefined, notes: [anomalyNote] };
  const task = count(evidence.outputShape) === 1 ? 'binary' : 'classification';
  return { task, labels: undefined, notes: [] };
}

/**
 * What a model is for, by its labels and, where they leave it open, by what it does with its inputs; and the labels
 * as class numbers from 0 where they are classes (one-hot rows and numbers from 1 are recognised). The one place
 * that decides this: scoring, training and search ask here. Throws E_DATA_LABELS where labels fit no task.
 */
export async function judgeLabels(
  file: string,
  labels: Labels | undefined,
  evidence: TaskEvidence,
): Promise<JudgedTask> {
  if (!labels) return withoutLabels(evidence);
  requireFinite(file, labels);
  const outputs = count(evidence.outputShape);
  if (labelsPerSample(labels) !== 1) return labelRows(file, labels, outputs, evidence);
  if (outputs === 1) return singleOutput(labels, factsOf(labels), evidence);
  return severalOutputs(file, labels, evidence);
}

/**
 * Whether outputs follow the inputs that they were computed from: they explain a fifth of the inputs' variance, element
 * by element, or more. Scores of classes explain nothing of it.
 */
export function followsInputs(inputs: ArrayLike<number>, outputs: ArrayLike<number>): boolean {
  let mean = 0;
  for (let i = 0; i < outputs.length; i++) mean += inputs[i]! / outputs.length;
  let [residual, variance] = [0, 0];
  for (let i = 0; i < outputs.length; i++) {
    residual += (inputs[i]! - outputs[i]!) ** 2;
    variance += (inputs[i]! - mean) ** 2;
  }
  return residual < 0.8 * variance;
}
