import { TinymlError } from '../../common/tinyml-error.ts';

export function analyzeNeedsFloat(model: string): TinymlError {
  return new TinymlError({
    code: 'E_ANALYZE',
    exit: 1,
    what: `${model}: is quantized already, so there is nothing to choose`,
    hint: 'give the float model that it was made from',
  });
}

/** `path` is the data file without labels; undefined where none was given at all. */
export function labelsNeeded(path: string | undefined): TinymlError {
  return new TinymlError({
    code: 'E_LABELS_NEEDED',
    exit: 1,
    what:
      path === undefined
        ? 'points lost can only be limited where there are labels to count them'
        : `${path}: has no labels (an array "y")`,
    hint: 'give labelled samples with --data: arrays "x" and "y", or a folder with one subfolder a class',
  });
}
