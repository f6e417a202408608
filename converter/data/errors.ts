import { TinymlError } from '../../common/tinyml-error.ts';

/** The bytes are not what the format asks for; `what` says where. */
export function badArrayFile(
  file: string,
  format: 'npy' | 'npz' | 'csv' | 'png' | 'pnm' | 'wav',
  what: string,
): TinymlError {
  return new TinymlError({
    code: `E_${format.toUpperCase()}`,
    exit: 1,
    what: `${file}: is not a readable ${format} file: ${what}`,
    hint:
      format === 'npz' || format === 'npy'
        ? 'write it again with numpy, for example np.savez("data.npz", x=x, y=y)'
        : 'see docs/data.md for what is read',
  });
}

export function pickledArray(file: string): TinymlError {
  return new TinymlError({
    code: 'E_NPY_OBJECT',
    exit: 1,
    what: `${file}: holds Python objects (a pickle), which tinyml never reads`,
    hint: 'save plain numbers: np.asarray(x, dtype=np.float32)',
  });
}

export function unsupportedArray(file: string, dtype: string): TinymlError {
  return new TinymlError({
    code: 'E_NPY_TYPE',
    exit: 1,
    what: `${file}: has elements of type ${JSON.stringify(dtype.slice(0, 40))}`,
    measure: 'types: float16, float32, float64, int8 to int64, uint8 to uint64, bool',
    hint: 'convert it first: x.astype(np.float32)',
  });
}

export function dataTooBig(file: string, bytes: number, limit: number): TinymlError {
  return new TinymlError({
    code: 'E_DATA_TOO_BIG',
    exit: 1,
    what: `${file}: unpacks to too much`,
    measure: `${bytes} bytes, the limit is ${limit}`,
    hint: 'a few hundred samples are enough for calibration, a few thousand for evaluation',
  });
}

/** A cell of a table that is not what its column asks for; line and column count from 1. */
export function badCell(file: string, line: number, column: number, what: string): TinymlError {
  return new TinymlError({ code: 'E_CSV', exit: 1, what: `${file}:${line}:${column}: ${what}` });
}

export function noSuchArray(file: string, wanted: string, found: readonly string[]): TinymlError {
  return new TinymlError({
    code: 'E_NO_ARRAY',
    exit: 1,
    what: `${file}: has no array ${wanted}`,
    measure: `arrays: ${found.length > 0 ? found.join(', ') : 'none'}`,
    hint: 'name the arrays when saving: np.savez("data.npz", x=x, y=y)',
  });
}

export function shapeMismatch(
  file: string,
  array: string,
  found: readonly number[],
  input: string,
  expected: readonly number[],
): TinymlError {
  const sample = expected[0] === 1 ? expected.slice(1) : expected;
  return new TinymlError({
    code: 'E_DATA_SHAPE',
    exit: 1,
    what: `${file}: array ${JSON.stringify(array)} has shape [${found.join(', ')}], but input ${JSON.stringify(input)} expects [${expected.join(', ')}]`,
    measure: `accepted: [${['N', ...sample].join(', ')}] with any number of samples N, or one sample of shape [${sample.join(', ')}]`,
    hint: "data follow the model's own axis order, as it was exported",
  });
}

export function missingInput(file: string, inputs: readonly string[], found: readonly string[]): TinymlError {
  return new TinymlError({
    code: 'E_DATA_INPUTS',
    exit: 1,
    what: `${file}: the model has ${inputs.length} inputs and needs one array for each, named ${inputs.join(', ')}`,
    measure: `arrays: ${found.join(', ')}`,
    hint: `np.savez("data.npz", ${inputs.map((name) => `**{${JSON.stringify(name)}: ...}`).join(', ')})`,
  });
}

export function unevenInputs(file: string, counts: ReadonlyMap<string, number>): TinymlError {
  return new TinymlError({
    code: 'E_DATA_COUNT',
    exit: 1,
    what: `${file}: the arrays hold different numbers of samples`,
    measure: [...counts].map(([name, count]) => `${name}: ${count}`),
  });
}

export function notFinite(file: string, array: string, index: readonly number[], value: number): TinymlError {
  return new TinymlError({
    code: 'E_DATA_NOT_FINITE',
    exit: 1,
    what: `${file}: array ${JSON.stringify(array)} holds ${value} at index [${index.join(', ')}], but samples must be finite`,
    hint: 'find them with np.argwhere(~np.isfinite(x)) and repair or drop those samples',
  });
}

export function noSamples(file: string, array: string): TinymlError {
  return new TinymlError({
    code: 'E_DATA_EMPTY',
    exit: 1,
    what: `${file}: array ${JSON.stringify(array)} holds no samples`,
  });
}

export function labelMismatch(file: string, samples: number, labels: number): TinymlError {
  return new TinymlError({
    code: 'E_DATA_LABELS',
    exit: 1,
    what: `${file}: x holds ${samples} samples but y ${labels} labels`,
  });
}

/** Files of a folder that differ where all must be alike. */
export function unevenFiles(
  folder: string,
  file: string,
  found: string,
  expected: string,
  first: string,
): TinymlError {
  return new TinymlError({
    code: 'E_DATA_FILES',
    exit: 1,
    what: `${folder}: ${file} is ${found}, but ${first} is ${expected}`,
    hint: 'bring all files to one size first',
  });
}

export function noClassFolders(folder: string): TinymlError {
  return new TinymlError({
    code: 'E_DATA_FILES',
    exit: 1,
    what: `${folder}: holds no samples`,
    measure: 'expected: one subfolder a class, with .png, .pgm, .ppm or .wav files in it',
  });
}

/** Channels of a sensor that a model's input has no axis for. */
export function channelsDoNotFit(input: string, shape: readonly number[], channels: number): TinymlError {
  return new TinymlError({
    code: 'E_RECORD_SHAPE',
    exit: 1,
    what: `${channels} ${channels === 1 ? 'channel does' : 'channels do'} not fit input ${JSON.stringify(input)} of shape [${shape.join(', ')}]`,
    measure: 'one axis must be the channels and another the time, or a single one both',
    hint: 'choose as many channels as the model was made for, or cut windows with --window instead of --model',
  });
}

/** A recording that is to be added to samples of another form. */
export function otherShape(
  file: string,
  found: readonly number[] | undefined,
  wanted: readonly number[],
): TinymlError {
  return new TinymlError({
    code: 'E_RECORD_SHAPE',
    exit: 1,
    what: found
      ? `${file}: holds samples of shape [${found.slice(1).join(', ')}], the new ones have [${wanted.join(', ')}]`
      : `${file}: holds no array x that samples could be added to`,
    measure: 'nothing was recorded',
    hint: 'record with the same channels and windows, or into another file',
  });
}

/** A file that samples are added to holds what the new file could not. */
export function wouldLose(file: string, what: string): TinymlError {
  return new TinymlError({
    code: 'E_RECORD_LOSS',
    exit: 1,
    what: `${file}: would lose ${what} when samples are added`,
    measure: 'nothing was recorded',
    hint: 'record into another file',
  });
}

export function labelsMissing(file: string, inFile: boolean): TinymlError {
  return new TinymlError({
    code: 'E_RECORD_LABELS',
    exit: 1,
    what: inFile
      ? `${file}: has no labels, the new samples have one`
      : `${file}: has labels, the new samples have none`,
    measure: 'nothing was recorded',
    hint: inFile ? 'record without --label, or into another file' : 'say with --label what is recorded',
  });
}

export function badClassNames(file: string): TinymlError {
  return new TinymlError({
    code: 'E_RECORD_LABELS',
    exit: 1,
    what: `${file}: array "classes" does not hold names as tinyml record writes them`,
    measure: 'expected: uint8 [classes, longest name], UTF-8 filled up with zeros',
  });
}
