/** `one-shot` removes all channels at once and trains; `gradual` removes them in rounds with training between. */
export type Schedule = 'one-shot' | 'gradual';

/** A piece of training between two checkpoints. */
export interface TrainingUnit {
  readonly round: number;
  /** Before training, channels are removed until this share of the cost is left. */
  readonly share?: number;
  readonly steps: number;
  /** The learning rate of a step, as a share of the highest. */
  rateAt(step: number): number;
}

const rounds: Readonly<Record<Schedule, number>> = { 'one-shot': 1, gradual: 4 };
/** Share of all training that follows each round but the last one. */
const betweenRounds = 0.08;
/** Steps over which the rate rises from zero after channels were removed. */
const warmUp = 20;

const cosine = (progress: number) => (1 + Math.cos(Math.PI * progress)) / 2;

/** Cost left after round `r` of `count`: much is removed early, little at the end (Zhu and Gupta, 2017). */
function shareAfter(r: number, count: number, share: number): number {
  return r === count ? share : share + (1 - share) * (1 - r / count) ** 3;
}

/** Cuts `steps` of training into pieces of at most an epoch; the rate of the last round falls to zero. */
export function planUnits(
  schedule: Schedule,
  epochs: number,
  stepsPerEpoch: number,
  share: number,
): TrainingUnit[] {
  const count = rounds[schedule];
  const total = Math.round(epochs * stepsPerEpoch);
  const between = Math.floor(total * betweenRounds);
  const units: TrainingUnit[] = [];
  for (let round = 0; round < count; round++) {
    const isLast = round === count - 1;
    const steps = isLast ? total - between * (count - 1) : between;
    for (let first = 0; first === 0 || first < steps; first += stepsPerEpoch) {
      units.push({
        round,
        ...(first === 0 ? { share: shareAfter(round + 1, count, share) } : {}),
        steps: Math.min(stepsPerEpoch, steps - first),
        rateAt: (step) =>
          Math.min(1, (first + step + 1) / warmUp) * (isLast ? cosine((first + step) / steps) : 1),
      });
    }
  }
  return units;
}
