/** Weights under training, by the name of their value. */
export type Weights = ReadonlyMap<string, Float32Array>;

const [decayMean, decaySquare, epsilon] = [0.9, 0.999, 1e-8];

/** Running means of one array of weights, part of a checkpoint. */
export interface Moments {
  readonly mean: Float32Array;
  readonly square: Float32Array;
}

export interface AdamState {
  readonly steps: number;
  readonly moments: ReadonlyMap<string, Moments>;
}

/**
 * Adam (Kingma and Ba, 2015) on plain arrays: its state goes into checkpoints, and the rate changes each step, for
 * which tfjs's own optimizer has no public way.
 */
export class Adam {
  private steps: number;
  private readonly moments: Map<string, Moments>;

  constructor(state: AdamState = { steps: 0, moments: new Map() }) {
    this.steps = state.steps;
    this.moments = new Map(state.moments);
  }

  get state(): AdamState {
    return { steps: this.steps, moments: this.moments };
  }

  /** One step against `gradients`, in place. */
  step(weights: Weights, gradients: Weights, rate: number): void {
    this.steps++;
    const correction = Math.sqrt(1 - decaySquare ** this.steps) / (1 - decayMean ** this.steps);
    for (const [name, gradient] of gradients) {
      this.update(weights.get(name)!, gradient, this.momentsOf(name, gradient.length), rate * correction);
    }
  }

  private momentsOf(name: string, length: number): Moments {
    const known = this.moments.get(name);
    if (known) return known;
    const fresh = { mean: new Float32Array(length), square: new Float32Array(length) };
    this.moments.set(name, fresh);
    return fresh;
  }

  private update(
    weights: Float32Array,
    gradient: Float32Array,
    { mean, square }: Moments,
    rate: number,
  ): void {
    for (let i = 0; i < gradient.length; i++) {
      const g = gradient[i]!;
      mean[i] = decayMean * mean[i]! + (1 - decayMean) * g;
      square[i] = decaySquare * square[i]! + (1 - decaySquare) * g * g;
      weights[i]! -= (rate * mean[i]!) / (Math.sqrt(square[i]!) + epsilon);
    }
  }
}
