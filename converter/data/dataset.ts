import type { DataArray } from './array.ts';
import { type CsvOptions, readCsv } from './csv.ts';
import { noClassFolders, unevenFiles } from './errors.ts';
import { readNpy } from './npy.ts';
import { readNpz } from './npz.ts';
import { type Image, readPng } from './png.ts';
import { readPnm } from './pnm.ts';
import { readWav } from './wav.ts';

/** Samples, labels and calibration samples as a user brought them. */
export interface Dataset {
  /** The file or folder, for messages. */
  readonly file: string;
  /** By name: `x`, `y`, `calib`, or the names of the model's inputs. */
  readonly arrays: ReadonlyMap<string, DataArray>;
  /** Names of the classes in the order of their numbers, where the data give them. */
  readonly classes?: readonly string[];
  /** Images: the axes of `x` are height, width, channels and may be put in the order a model wants. */
  readonly images?: true;
  /** Samples a second of sounds; that of most of them where they differ. */
  readonly sampleRate?: number;
  /** What a user should know of the data, in sentences. */
  readonly warnings?: readonly string[];
}

/** One file of a folder of samples. */
export interface SampleFile {
  readonly className: string;
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Reads a data file by the kind of its content. Throws what the readers throw. */
export function readDataset(
  bytes: Uint8Array,
  file: string,
  kind: 'npz' | 'npy' | 'csv',
  options: CsvOptions,
): Dataset {
  if (kind === 'npz') return { file, arrays: readNpz(bytes, file) };
  if (kind === 'npy') return { file, arrays: new Map([['x', readNpy(bytes, file, 'x')]]) };
  const { x, y, classes } = readCsv(bytes, file, options);
  const arrays = new Map([['x', x], ...(y ? [['y', y] as const] : [])]);
  return { file, arrays, ...(classes ? { classes } : {}) };
}

interface Sample {
  readonly shape: readonly number[];
  readonly values: Float32Array;
  readonly image: boolean;
  /** Of a sound: samples a second. */
  readonly rate?: number;
}

function fromImage({ width, height, channels, pixels }: Image): Sample {
  return {
    shape: [height, width, channels],
    values: Float32Array.from(pixels, (value) => value / 255),
    image: true,
  };
}

/** Pixels become 0 to 1, sound -1 to 1. */
function readSample({ bytes, name }: SampleFile, file: string): Sample {
  if (/\.wav$/i.test(name)) {
    const { frames, channels, samples, rate } = readWav(bytes, file);
    return { shape: [frames, channels], values: samples, image: false, rate };
  }
  return fromImage(/\.png$/i.test(name) ? readPng(bytes, file) : readPnm(bytes, file));
}

/** The sample rate of most sounds, and a warning where others have another. */
function judgeRates(files: readonly string[], rates: readonly (number | undefined)[]) {
  const counts = new Map<number, number>();
  for (const rate of rates) if (rate !== undefined) counts.set(rate, (counts.get(rate) ?? 0) + 1);
  const [usual, ...others] = [...counts].sort(([, a], [, b]) => b - a);
  if (!usual) return {};
  const [sampleRate] = usual;
  if (others.length === 0) return { sampleRate };
  const odd = others.reduce((sum, [, count]) => sum + count, 0);
  const example = rates.findIndex((rate) => rate !== undefined && rate !== sampleRate);
  const warning =
    `${odd} of ${files.length} sounds have another sample rate than ${sampleRate} Hz (${files[example]}: ` +
    `${rates[example]} Hz): to the model they sound faster or slower; bring all to one rate`;
  return { sampleRate, warnings: [warning] };
}

/** Files of a folder with one subfolder a class, as one array. The classes are numbered in sorted order. */
export function readSampleFiles(files: readonly SampleFile[], folder: string): Dataset {
  const first = files[0];
  if (!first) throw noClassFolders(folder);
  const classes = [...new Set(files.map((file) => file.className))].sort();
  const pathOf = (file: SampleFile) => `${file.className}/${file.name}`;
  const reference = readSample(first, `${folder}/${pathOf(first)}`);
  const size = reference.values.length;
  const data = new Float32Array(size * files.length);
  const rates: (number | undefined)[] = [];
  for (const [i, file] of files.entries()) {
    const sample = readSample(file, `${folder}/${pathOf(file)}`);
    if (sample.shape.join() !== reference.shape.join()) {
      throw unevenFiles(
        folder,
        pathOf(file),
        sample.shape.join(' x '),
        reference.shape.join(' x '),
        pathOf(first),
      );
    }
    data.set(sample.values, i * size);
    rates.push(sample.rate);
  }
  const labels = Int32Array.from(files, (file) => classes.indexOf(file.className));
  const x: DataArray = { name: 'x', dtype: 'float32', shape: [files.length, ...reference.shape], data };
  const y: DataArray = { name: 'y', dtype: 'int32', shape: [files.length], data: labels };
  const arrays = new Map([
    ['x', x],
    ['y', y],
  ]);
  const judged = judgeRates(files.map(pathOf), rates);
  return { file: folder, arrays, classes, ...(reference.image ? { images: true } : {}), ...judged };
}
