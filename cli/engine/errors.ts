import { TinymlError } from '../../common/tinyml-error.ts';

export function engineNeedsFloat(model: string): TinymlError {
  return new TinymlError({
    code: 'E_ENGINE',
    exit: 1,
    what: `${model}: is quantized already, so there is no float graph to run`,
    hint: 'use --engine int8, c or board',
  });
}

export function engineNeedsIntegers(model: string): TinymlError {
  return new TinymlError({
    code: 'E_ENGINE',
    exit: 1,
    what: `${model}: --engine int8 runs integers, and --quantize float leaves none`,
    hint: 'use --engine float or c, or --quantize int8 or int16x8',
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
