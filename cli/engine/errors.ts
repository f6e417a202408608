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
