import { badArrayFile } from './errors.ts';

/** Sound as numbers from -1 to 1, channels interleaved. */
export interface Sound {
  readonly rate: number;
  readonly channels: number;
  readonly frames: number;
  readonly samples: Float32Array;
}

interface Format {
  readonly tag: number;
  readonly channels: number;
  readonly rate: number;
  readonly bits: number;
}

type SampleReader = (view: DataView, offset: number) => number;

/** By format tag (1 whole numbers, 3 floating point) and bits; 8-bit samples are unsigned (RIFF, WAVE). */
const readers: ReadonlyMap<string, SampleReader> = new Map<string, SampleReader>([
  ['1/8', (view, at) => (view.getUint8(at) - 128) / 128],
  ['1/16', (view, at) => view.getInt16(at, true) / 32_768],
  ['1/24', (view, at) => ((view.getInt8(at + 2) << 16) | view.getUint16(at, true)) / 8_388_608],
  ['1/32', (view, at) => view.getInt32(at, true) / 2_147_483_648],
  ['3/32', (view, at) => view.getFloat32(at, true)],
  ['3/64', (view, at) => view.getFloat64(at, true)],
]);

const extensible = 0xfffe;

/** Reads a WAV file: PCM of 8, 16, 24 or 32 bits, or floating point of 32 or 64. Throws E_WAV. */
export function readWav(bytes: Uint8Array, file: string): Sound {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tag = (at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (bytes.length < 12 || tag(0) !== 'RIFF' || tag(8) !== 'WAVE')
    throw badArrayFile(file, 'wav', 'the first bytes are not those of WAV');
  let format: Format | undefined;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at + 4, true);
    if (length > bytes.length - at - 8) throw badArrayFile(file, 'wav', 'it is cut short');
    if (tag(at) === 'fmt ') format = readFormat(view, at + 8, length, file);
    if (tag(at) === 'data') {
      if (!format) throw badArrayFile(file, 'wav', 'the samples come before the format');
      return readSamples(new DataView(bytes.buffer, bytes.byteOffset + at + 8, length), format, file);
    }
    at += 8 + length + (length & 1);
  }
  throw badArrayFile(file, 'wav', 'it holds no samples');
}

function readFormat(view: DataView, at: number, length: number, file: string): Format {
  if (length < 16) throw badArrayFile(file, 'wav', 'the format is cut short');
  const tag = view.getUint16(at, true);
  const real = tag === extensible && length >= 26 ? view.getUint16(at + 24, true) : tag;
  const channels = view.getUint16(at + 2, true);
  if (channels < 1 || channels > 16) throw badArrayFile(file, 'wav', `it has ${channels} channels`);
  return { tag: real, channels, rate: view.getUint32(at + 4, true), bits: view.getUint16(at + 14, true) };
}

function readSamples(view: DataView, format: Format, file: string): Sound {
  const read = readers.get(`${format.tag}/${format.bits}`);
  if (!read)
    throw badArrayFile(
      file,
      'wav',
      `format ${format.tag} with ${format.bits} bits is not read (PCM and float are)`,
    );
  const width = format.bits / 8;
  const frames = Math.floor(view.byteLength / (width * format.channels));
  const samples = new Float32Array(frames * format.channels);
  for (let i = 0; i < samples.length; i++) samples[i] = read(view, i * width);
  return { rate: format.rate, channels: format.channels, frames, samples };
}
