import { type InputSamples, sampleAt } from '../../converter/data/samples.ts';
import { labelsAt } from '../../converter/metrics/labels.ts';
import { seededRandom, shuffled } from '../../converter/search/random.ts';
import type { LabelledSet } from '../engine/labelled-set.ts';

/** Labelled samples in an order that the file's own, often by class, has no part in. */
export class LabelledSamples {
  readonly count: number;
  readonly metric: LabelledSet['metric'];
  private readonly set: LabelledSet;
  private readonly order: readonly number[];

  private constructor(set: LabelledSet, order: readonly number[]) {
    this.set = set;
    this.metric = set.metric;
    this.count = order.length;
    this.order = order;
  }

  static shuffled(set: LabelledSet, seed: number): LabelledSamples {
    return new LabelledSamples(set, shuffled(seededRandom(seed), set.inputs[0]?.count ?? 0));
  }

  /** Two halves without a sample in common. */
  halves(): [LabelledSamples, LabelledSamples] {
    const middle = Math.floor(this.count / 2);
    const half = (order: readonly number[]) => new LabelledSamples(this.set, order);
    return [half(this.order.slice(0, middle)), half(this.order.slice(middle))];
  }

  /** The first `count` samples of the order; all those of a smaller count are among them. */
  first(count: number): LabelledSet {
    const taken = this.order.slice(0, count);
    const { inputs, labels, metric } = this.set;
    return { inputs: inputs.map((input) => partOf(input, taken)), labels: labelsAt(labels, taken), metric };
  }
}

function partOf(input: InputSamples, taken: readonly number[]): InputSamples {
  const { array, size } = input;
  const data = array.data.slice(0, taken.length * size);
  for (const [place, n] of taken.entries()) data.set(sampleAt(input, n) as never, place * size);
  return { ...input, count: taken.length, array: { ...array, shape: [taken.length, size], data } };
}
