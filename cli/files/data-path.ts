import { readdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { CsvOptions } from '../../converter/data/csv.ts';
import { type Dataset, readDataset, readSampleFiles, type SampleFile } from '../../converter/data/dataset.ts';
import type { Context } from '../context.ts';
import { fileUnreadable, tooManyFiles, wrongKind } from './errors.ts';
import { statsAt } from './final-path.ts';
import { type FileKind, identify } from './identify.ts';
import { readInputFile } from './input-file.ts';

const dataLimit = 1_073_741_824;
const sampleFileLimit = 67_108_864;
const fileCountLimit = 20_000;
const sampleNames = /\.(png|pgm|ppm|wav)$/i;
const expected = 'data (.npz, .npy, .csv, or a folder of images or sounds)';

const readable: ReadonlySet<string> = new Set(['.npz', '.npy', '.csv']);

/** Content decides where it can; for the rest (text, damaged files) the name does. */
function formatOf(kind: FileKind, extension: string): 'npz' | 'npy' | 'csv' | undefined {
  if (kind.key === 'npz' || kind.key === 'npy') return kind.key;
  if (kind.key === 'unknown' && !readable.has(extension)) return extension === '.txt' ? 'csv' : undefined;
  const mayBeDamaged = kind.key === 'unknown' || kind.key === 'zip' || kind.key === 'empty';
  return mayBeDamaged && readable.has(extension) ? (extension.slice(1) as 'npz' | 'npy' | 'csv') : undefined;
}

/** The sample rate of the sounds that a command read first. */
const firstRates = new WeakMap<Context, { readonly path: string; readonly rate: number }>();

function warn(context: Context, path: string, { sampleRate: rate, warnings = [] }: Dataset): void {
  for (const warning of warnings) context.output.warn(`${path}: ${warning}`);
  if (rate === undefined) return;
  const first = firstRates.get(context);
  if (!first) firstRates.set(context, { path, rate });
  else if (first.rate !== rate)
    context.output.warn(
      `${path}: sounds of ${rate} Hz, but those of ${first.path} have ${first.rate} Hz; bring all to one rate`,
    );
}

export interface DataPathOptions extends CsvOptions {
  /** The command adds to this file itself. */
  readonly own?: boolean;
}

/** Reads what `--calib`, `--data` or `--input` names; warns of what is odd about it. */
export function readDataPath(
  context: Context,
  path: string,
  options: DataPathOptions = { lastIsLabel: false },
): Dataset {
  const dataset = readPath(path, options);
  warn(context, path, dataset);
  return dataset;
}

function readPath(path: string, { own = false, ...options }: DataPathOptions): Dataset {
  if (statsAt(path)?.isDirectory()) return readSampleFiles(listSamples(path), path);
  const { bytes } = readInputFile(path, { expected, limit: dataLimit, own });
  const kind = identify(bytes);
  const format = formatOf(kind, extname(path).toLowerCase());
  if (format === undefined) throw wrongKind(path, kind.text, expected);
  return readDataset(bytes, path, format, options);
}

/** Sample files one level down, in the order of their names. */
function listSamples(folder: string): SampleFile[] {
  const files: SampleFile[] = [];
  for (const className of sortedNames(folder)) {
    const place = join(folder, className);
    if (!statsAt(place)?.isDirectory()) continue;
    for (const name of sortedNames(place)) {
      if (!sampleNames.test(name)) continue;
      if (files.length >= fileCountLimit) throw tooManyFiles(folder, fileCountLimit);
      const { bytes } = readInputFile(join(place, name), {
        expected: 'an image or a sound',
        limit: sampleFileLimit,
      });
      files.push({ className, name, bytes });
    }
  }
  return files;
}

function sortedNames(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    throw fileUnreadable(folder, error);
  }
}
