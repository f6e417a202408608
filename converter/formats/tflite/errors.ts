import { TinymlError } from '../../../common/tinyml-error.ts';

const quoted = (name: string) => JSON.stringify(name.length > 120 ? `${name.slice(0, 120)}...` : name);

/** Messages quote lists from the file, which a hostile one makes long. */
const longestFault = 400;

const reexport = 'export the model again, or check that the file was copied completely';

/** The bytes are no TFLite model at all. */
export function notTflite(file: string, what: string): TinymlError {
  return new TinymlError({
    code: 'E_TFLITE_FORMAT',
    exit: 1,
    what: `${file}: not a TFLite model: ${what}`,
    hint: 'a TFLite file has "TFL3" at byte 4; check the path and the file type',
  });
}

/** A table, offset, index or number in the file is not possible. `field` is its path in the format. */
export function damagedTflite(file: string, field: string, what: string): TinymlError {
  return new TinymlError({
    code: 'E_TFLITE_DAMAGED',
    exit: 1,
    what: `${file}: damaged TFLite model: ${field} ${what}`,
    hint: reexport,
  });
}

/** A well-formed file uses something beside operators that is not supported. */
export function unsupportedTflite(file: string, field: string, what: string, hint: string): TinymlError {
  return new TinymlError({ code: 'E_TFLITE_UNSUPPORTED', exit: 1, what: `${file}: ${field} ${what}`, hint });
}

/** One kind of operator that cannot be read, with the tensors that its uses make. */
export interface UnsupportedOperator {
  readonly name: string;
  readonly version: number;
  readonly tensors: readonly string[];
}

const namedPerOperator = 8;
const operatorsListed = 40;

/** Every operator that cannot be read, at once. */
export function unsupportedOperators(
  file: string,
  kinds: readonly UnsupportedOperator[],
  total: number,
): TinymlError {
  const [first] = kinds;
  const affected = kinds.reduce((sum, kind) => sum + kind.tensors.length, 0);
  const line = ({ name, tensors }: UnsupportedOperator) => {
    const shown = tensors.slice(0, namedPerOperator).map(quoted).join(', ');
    const rest = tensors.length - namedPerOperator;
    return `${name}: ${shown}${rest > 0 ? ` and ${rest} more` : ''}`;
  };
  return new TinymlError({
    code: 'E_TFLITE_UNSUPPORTED_OP',
    exit: 1,
    what: `${file}: tensor ${quoted(first!.tensors[0]!)} is made by ${first!.name} (version ${first!.version}), which tinyml cannot convert`,
    measure: [
      `${affected} of ${total} operators ${affected === 1 ? 'is' : 'are'} affected`,
      ...kinds.slice(0, operatorsListed).map(line),
    ],
    hint: 'tinyml ops lists the operators that can be read; change the layers named here and export again',
  });
}

/** One operator that is supported in general, but not in this form. `where` names the tensor it makes. */
export function refusedOperator(file: string, builtin: string, origin: string, what: string): TinymlError {
  return new TinymlError({
    code: 'E_TFLITE_UNSUPPORTED_OP',
    exit: 1,
    what: `${file}: ${builtin} that makes tensor ${quoted(origin)}: ${what}`,
    hint: 'tinyml ops lists what each operator takes',
  });
}

/** A fault that an operator's own rules found, with file and operator put in front. */
export function locatedFault(file: string, builtin: string, origin: string, error: TinymlError): TinymlError {
  return new TinymlError({
    code: error.code,
    exit: error.exit,
    what: `${file}: ${builtin} that makes tensor ${quoted(origin)}: ${error.message.slice(0, longestFault)}`,
    measure: error.measure,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    cause: error,
  });
}

/** A node of the graph that no TFLite operator can express. */
export function notExpressible(op: string, origin: string, what: string, hint: string): TinymlError {
  return new TinymlError({
    code: 'E_TFLITE_EXPORT',
    exit: 1,
    what: `layer ${quoted(origin)} (${op}) has no TFLite form: ${what}`,
    hint,
  });
}

/** Our own writer made something that our own verifier refuses: a bug of ours. */
export function internalBadExport(what: string, cause?: unknown): Error {
  return new Error(`invalid TFLite file written: ${what}`, cause === undefined ? {} : { cause });
}
