import { TinymlError } from '../../common/tinyml-error.ts';

export function trainingDataNeeded(option: string): TinymlError {
  return new TinymlError({
    code: 'E_TRAINING_DATA_NEEDED',
    exit: 1,
    what: `${option} trains the model, and there are no data to train on`,
    hint: 'pass --train train.npz with samples x and labels y, other ones than those you evaluate on',
  });
}
