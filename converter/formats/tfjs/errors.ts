import { nearest } from '../../../common/nearest.ts';
import { TinymlError } from '../../../common/tinyml-error.ts';

const quoted = (text: string) => JSON.stringify(text.slice(0, 200));

/** The same error with the file's name before its text. */
export function inTfjsFile(file: string, error: TinymlError): TinymlError {
  const { code, exit, message, measure, hint, cause } = error;
  return new TinymlError({
    code,
    exit,
    what: `${file}: ${message}`,
    measure,
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  });
}

export function damagedTfjs(what: string): TinymlError {
  return new TinymlError({
    code: 'E_TFJS_DAMAGED',
    exit: 1,
    what: `is not a TensorFlow.js model that can be read: ${what}`,
    hint: 'export it again: model.save() of tfjs, or tensorflowjs_converter',
  });
}

export function damagedAt(place: string, what: string): TinymlError {
  return damagedTfjs(`${quoted(place)} ${what}`);
}

export function weightsIncomplete(weight: string, wanted: number, have: number): TinymlError {
  return new TinymlError({
    code: 'E_TFJS_WEIGHTS',
    exit: 1,
    what: `the weight files end within ${quoted(weight)}`,
    measure: `${wanted} bytes are needed, ${have} are there`,
    hint: 'copy all files of the model, model.json and every .bin beside it',
  });
}

export function weightMissing(layer: string, name: string): TinymlError {
  return new TinymlError({
    code: 'E_TFJS_WEIGHTS',
    exit: 1,
    what: `layer ${quoted(layer)} has no weights ${quoted(name)} in the manifest`,
    hint: 'export the model with its weights, not its topology alone',
  });
}

export function weightShape(layer: string, name: string, what: string): TinymlError {
  return new TinymlError({
    code: 'E_TFJS_WEIGHTS',
    exit: 1,
    what: `the weights ${quoted(name)} of layer ${quoted(layer)} ${what}`,
    hint: 'export the model again',
  });
}

/** One kind of layer or operator that cannot be converted; `layers` are the user's names. */
export function unsupportedKind(
  what: 'layer' | 'operator',
  kind: string,
  layers: readonly string[],
  total: number,
  known: readonly string[],
): TinymlError {
  const match = nearest(kind, known);
  return new TinymlError({
    code: 'E_TFJS_UNSUPPORTED',
    exit: 1,
    what: `${what} ${quoted(layers[0] ?? kind)} is of kind ${quoted(kind)}, which tinyml cannot convert`,
    measure: [
      `${layers.length} of ${total} ${what}s ${layers.length === 1 ? 'is' : 'are'} affected`,
      `kinds that can be converted: ${known.join(', ')}`,
    ],
    hint: match === undefined ? 'replace it by layers of these kinds' : `the nearest kind is ${match}`,
  });
}

export function cannotConvert(layer: string, kind: string, what: string): TinymlError {
  return new TinymlError({
    code: 'E_TFJS_UNSUPPORTED',
    exit: 1,
    what: `${kind} ${quoted(layer)} cannot be converted: ${what}`,
    hint: 'change the layer and export again; docs/tfjs.md says what each kind can be',
  });
}

export function shapeOpen(input: string, shape: readonly (number | null)[]): TinymlError {
  const sizes = shape.map((size) => size ?? '?').join(',');
  return new TinymlError({
    code: 'E_TFJS_INPUT_SHAPE',
    exit: 1,
    what: `input ${quoted(input)} has the shape [${sizes}] with unknown sizes`,
    hint: `give all of them, for example --input-shape ${input}=${shape.map((size) => size ?? 1).join(',')}`,
  });
}

export function shapeMismatch(
  input: string,
  given: readonly number[],
  shape: readonly (number | null)[],
): TinymlError {
  return new TinymlError({
    code: 'E_TFJS_INPUT_SHAPE',
    exit: 1,
    what: `--input-shape ${input}=${given.join(',')} does not fit the model's [${shape.map((size) => size ?? '?').join(',')}]`,
  });
}

export function noSuchInput(name: string, inputs: readonly string[]): TinymlError {
  return new TinymlError({
    code: 'E_TFJS_INPUT_SHAPE',
    exit: 1,
    what: `--input-shape: the model has no input ${quoted(name)}`,
    measure: `inputs: ${inputs.join(', ')}`,
  });
}

export function tooLargeTfjs(what: string, limit: number): TinymlError {
  return new TinymlError({
    code: 'E_TFJS_TOO_LARGE',
    exit: 1,
    what: `has too many ${what}`,
    measure: `the limit is ${limit}`,
  });
}
