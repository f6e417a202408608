import { TinymlError } from '../../common/tinyml-error.ts';

/** A file where a checkpoint would go that is none. */
export function notACheckpoint(path: string): TinymlError {
  return new TinymlError({
    code: 'E_OUTPUT_FOREIGN',
    exit: 1,
    what: `${path}: is no checkpoint of tinyml, and would be replaced by one`,
    measure: 'nothing was changed',
    hint: 'move it, or write the result to another place with -o',
  });
}

export function trainingDataNeeded(option: string): TinymlError {
  return new TinymlError({
    code: 'E_TRAINING_DATA_NEEDED',
    exit: 1,
    what: `${option} trains the model, and there are no data to train on`,
    hint: 'pass --train train.npz with samples x and labels y, other ones than those you evaluate on',
  });
}
