import { type InputSamples, sampleAt } from '../../converter/data/samples.ts';
import type { Labels } from '../../converter/evaluate/metrics.ts';
import { seededRandom, shuffled } from '../../converter/search/random.ts';

/** Some samples with their labels. */
export interface LabelledPart {
  readonly inputs: readonly InputSamples[];
  readonly labels: Labels;
}

/** Labelled samples in an order that the file's own, often by class, has no part in. */
export class LabelledSamples {
  readonly count: number;
  private readonly inputs: readonly InputSamples[];
  private readonly labels: Labels;
  private readonly order: readonly number[];

  private constructor(inputs: readonly InputSamples[], labels: Labels, order: readonly number[]) {
    this.inputs = inputs;
    this.labels = labels;
    this.count = order.length;
    this.order = order;
  }

  static shuffled(inputs: readonly InputSamples[], labels: Labels, seed: number): LabelledSamples {
    return new LabelledSamples(inputs, labels, shuffled(seededRandom(seed), inputs[0]?.count ?? 0));
  }

  /** Two halves without a sample in common. */
  halves(): [LabelledSamples, LabelledSamples] {
    const middle = Math.floor(this.count / 2);
    const half = (order: readonly number[]) => new LabelledSamples(this.inputs, this.labels, order);
    return [half(this.order.slice(0, middle)), half(this.order.slice(middle))];
  }

  /** The first `count` samples of the order; all those of a smaller count are among them. */
  first(count: number): LabelledPart {
    const taken = this.order.slice(0, count);
    const size = this.labels.data.length / (this.labels.shape[0] ?? 1);
    const labels = taken.flatMap((n) =>
      Array.from({ length: size }, (_, i) => this.labels.data[n * size + i]!),
    );
    return {
      inputs: this.inputs.map((input) => partOf(input, taken)),
      labels: { data: labels, shape: [taken.length, ...this.labels.shape.slice(1)] },
    };
  }
}

function partOf(input: InputSamples, taken: readonly number[]): InputSamples {
  const { array, size } = input;
  const data = array.data.slice(0, taken.length * size);
  for (const [place, n] of taken.entries()) data.set(sampleAt(input, n) as never, place * size);
  return { ...input, count: taken.length, array: { ...array, shape: [taken.length, size], data } };
}
