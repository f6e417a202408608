import { TinymlError } from '../../common/tinyml-error.ts';

export function cannotTrain(origin: string, op: string): TinymlError {
  return new TinymlError({
    code: 'E_TRAIN_OP',
    exit: 1,
    what: `layer ${JSON.stringify(origin)}: ${op} has no gradient, so that the model cannot be trained`,
    hint: 'pass --no-fine-tune to prune by magnitude without training',
  });
}

export function batchNotPossible(): TinymlError {
  return new TinymlError({
    code: 'E_TRAIN_BATCH',
    exit: 1,
    what: 'the model mixes its first axis with others, so that it cannot be trained on batches of samples',
    hint: 'export the model with a batch of 1 on the first axis of every value',
  });
}

export function labelsNeeded(file: string): TinymlError {
  return new TinymlError({
    code: 'E_TRAIN_LABELS',
    exit: 1,
    what: `${file}: fine-tuning a classifier needs labels, and there is no array "y"`,
    measure: 'y holds a class number for each sample of x',
    hint: 'add y, leave --no-distill out to learn from the original model alone, or pass --no-fine-tune --criterion l1',
  });
}

export function trainingDiverged(epoch: number, rate: number): TinymlError {
  return new TinymlError({
    code: 'E_TRAIN_DIVERGED',
    exit: 3,
    what: `training diverged in epoch ${epoch}: the loss is not a number any more`,
    measure: `the learning rate was ${rate}`,
    hint: 'pass a smaller --learning-rate',
  });
}
