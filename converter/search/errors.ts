import { nearest } from '../../common/nearest.ts';
import { TinymlError } from '../../common/tinyml-error.ts';

const quoted = (text: string) => JSON.stringify(text.slice(0, 80));

/** `<` and `>` without quotes never reach a program. */
const shellHint =
  'quote the whole budget, since a shell takes < and > for itself: --budget "accuracy>=0.97,latency<5ms"';

export function badLimit(text: string, what: string, example: string): TinymlError {
  return new TinymlError({
    code: 'E_BUDGET',
    exit: 1,
    what: `--budget: ${quoted(text)} cannot be understood: ${what}`,
    measure: `for example: ${example}`,
    hint: shellHint,
  });
}

export function unknownMeasure(text: string, name: string, names: readonly string[]): TinymlError {
  const match = nearest(name, names);
  return new TinymlError({
    code: 'E_BUDGET',
    exit: 1,
    what: `--budget: ${quoted(text)} limits nothing that is measured`,
    measure: `limits: ${names.join(', ')}`,
    ...(match === undefined ? {} : { hint: `did you mean ${match}?` }),
  });
}

export function limitGivenTwice(text: string, measure: string): TinymlError {
  return new TinymlError({
    code: 'E_BUDGET',
    exit: 1,
    what: `--budget: ${quoted(text)} limits ${measure} twice`,
    hint: 'keep one of the two',
  });
}
