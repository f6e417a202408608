import { zlibSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { readSampleFiles } from '../../converter/data/dataset.ts';
import { readPng } from '../../converter/data/png.ts';
import { readPnm } from '../../converter/data/pnm.ts';
import { readWav } from '../../converter/data/wav.ts';
import { codeOf, mutations } from '../support/hostile.ts';

function chunk(type: string, content: Uint8Array): number[] {
  const length = [
    content.length >>> 24,
    (content.length >>> 16) & 255,
    (content.length >>> 8) & 255,
    content.length & 255,
  ];
  return [...length, ...new TextEncoder().encode(type), ...content, 0, 0, 0, 0];
}

/** A PNG of given rows, each already begun with its filter type. */
function png(
  width: number,
  height: number,
  colorType: number,
  raw: readonly number[],
  palette: readonly number[] = [],
  depth = 8,
  interlace = 0,
): Uint8Array {
  const header = Uint8Array.of(
    0,
    0,
    width >> 8,
    width & 255,
    0,
    0,
    height >> 8,
    height & 255,
    depth,
    colorType,
    0,
    0,
    interlace,
  );
  return Uint8Array.from([
    ...[0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
    ...chunk('IHDR', header),
    ...(palette.length > 0 ? chunk('PLTE', Uint8Array.from(palette)) : []),
    ...chunk('IDAT', zlibSync(Uint8Array.from(raw))),
    ...chunk('IEND', new Uint8Array(0)),
  ]);
}

describe('png', () => {
  test('every filter type gives back the pixels', () => {
    // Five rows 10 20 30 / 11 21 31 / ..., row i stored with filter i; Paeth and average worked out by hand.
    const raw = [0, 10, 20, 30, 1, 11, 10, 10, 2, 1, 1, 1, 3, 7, 6, 6, 4, 1, 1, 1];
    const { pixels, channels } = readPng(png(3, 5, 0, raw), 'x.png');
    expect(channels).toBe(1);
    expect(Array.from(pixels.subarray(0, 9))).toEqual([10, 20, 30, 11, 21, 31, 12, 22, 32]);
    expect(Array.from(pixels.subarray(9, 12))).toEqual([13, 23, 33]);
    expect(Array.from(pixels.subarray(12))).toEqual([14, 24, 34]);
  });

  test('RGB, RGBA, palette, gray with alpha', () => {
    expect(readPng(png(1, 1, 2, [0, 1, 2, 3]), 'x').channels).toBe(3);
    expect(readPng(png(1, 1, 6, [0, 1, 2, 3, 4]), 'x').channels).toBe(4);
    expect(Array.from(readPng(png(2, 1, 3, [0, 1, 0], [9, 8, 7, 6, 5, 4]), 'x').pixels)).toEqual([
      6, 5, 4, 9, 8, 7,
    ]);
    expect(Array.from(readPng(png(2, 1, 4, [0, 5, 255, 6, 255]), 'x').pixels)).toEqual([5, 6]);
  });

  test.each([
    ['16 bits', png(1, 1, 0, [0, 0, 0], [], 16)],
    ['interlaced', png(1, 1, 0, [0, 0], [], 8, 1)],
    ['no pixels', png(0, 1, 0, [0])],
    ['too few rows', png(4, 4, 0, [0, 1, 2, 3, 4])],
    ['an unknown filter', png(1, 1, 0, [9, 1])],
    ['a colour outside the palette', png(1, 1, 3, [0, 200], [1, 2, 3])],
  ])('%s is refused', (_, bytes) => {
    expect(codeOf(() => readPng(bytes, 'x.png'))).toBe('E_PNG');
  });

  test('damaged files are read or refused', () => {
    const bytes = png(
      8,
      8,
      2,
      Array.from({ length: 8 * 25 }, (_, i) => (i % 25 === 0 ? i % 5 : i & 255)),
    );
    for (const { seed, mutant } of mutations(bytes, 2000)) {
      expect(codeOf(() => readPng(mutant, 'x.png')) ?? 'E_', `seed ${seed}`).toMatch(/^E_/);
    }
  });
});

describe('pnm', () => {
  const bytes = (head: string, ...pixels: number[]) =>
    Uint8Array.from([...new TextEncoder().encode(head), ...pixels]);
  test('gray and colour, with a comment', () => {
    expect(readPnm(bytes('P5\n# made by hand\n2 1\n255\n', 7, 9), 'x.pgm')).toMatchObject({
      width: 2,
      height: 1,
      channels: 1,
    });
    expect(Array.from(readPnm(bytes('P6 1 1 255 ', 1, 2, 3), 'x.ppm').pixels)).toEqual([1, 2, 3]);
  });
  test('cut or of more bits is refused', () => {
    expect(codeOf(() => readPnm(bytes('P5 2 2 255 ', 1), 'x'))).toBe('E_PNM');
    expect(codeOf(() => readPnm(bytes('P5 1 1 65535 ', 1, 1), 'x'))).toBe('E_PNM');
  });
});

function wav(tag: number, bits: number, channels: number, data: Uint8Array, rate = 16_000): Uint8Array {
  const bytes = new Uint8Array(44 + data.length);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode('RIFF'), 0);
  bytes.set(new TextEncoder().encode('WAVEfmt '), 8);
  view.setUint32(16, 16, true);
  view.setUint16(20, tag, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, rate, true);
  view.setUint16(34, bits, true);
  bytes.set(new TextEncoder().encode('data'), 36);
  view.setUint32(40, data.length, true);
  bytes.set(data, 44);
  return bytes;
}

describe('wav', () => {
  test.each([
    [1, 8, Uint8Array.of(0, 128, 192), [-1, 0, 0.5]],
    [1, 16, Uint8Array.of(0, 0x80, 0, 0, 0, 0x40), [-1, 0, 0.5]],
    [1, 24, Uint8Array.of(0, 0, 0x80, 0, 0, 0, 0, 0, 0x40), [-1, 0, 0.5]],
    [1, 32, Uint8Array.of(0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x40), [-1, 0, 0.5]],
    [3, 32, new Uint8Array(Float32Array.of(-1, 0, 0.5).buffer), [-1, 0, 0.5]],
  ])('format %i with %i bits', (tag, bits, data, expected) => {
    const sound = readWav(wav(tag, bits, 1, data), 'x.wav');
    expect(sound).toMatchObject({ rate: 16_000, channels: 1, frames: 3 });
    expect(Array.from(sound.samples)).toEqual(expected);
  });

  test('damaged files are read or refused', () => {
    for (const { seed, mutant } of mutations(wav(1, 16, 2, new Uint8Array(40)), 2000)) {
      expect(codeOf(() => readWav(mutant, 'x.wav')) ?? 'E_', `seed ${seed}`).toMatch(/^E_/);
    }
  });
});

describe('folders', () => {
  const pgm = (value: number, width = 2) =>
    Uint8Array.from([...new TextEncoder().encode(`P5 ${width} 1 255 `), ...Array(width).fill(value)]);
  test('one subfolder a class, values scaled to 0 to 1', () => {
    const { arrays, classes } = readSampleFiles(
      [
        { className: 'on', name: 'a.pgm', bytes: pgm(255) },
        { className: 'off', name: 'b.pgm', bytes: pgm(0) },
      ],
      'lamps',
    );
    expect(classes).toEqual(['off', 'on']);
    expect(arrays.get('x')?.shape).toEqual([2, 1, 2, 1]);
    expect(Array.from(arrays.get('x')!.data)).toEqual([1, 1, 0, 0]);
    expect(Array.from(arrays.get('y')!.data)).toEqual([1, 0]);
  });
  test('files of different size are refused, and an empty folder', () => {
    const files = [
      { className: 'a', name: '1.pgm', bytes: pgm(1) },
      { className: 'a', name: '2.pgm', bytes: pgm(1, 3) },
    ];
    expect(codeOf(() => readSampleFiles(files, 'f'))).toBe('E_DATA_FILES');
    expect(codeOf(() => readSampleFiles([], 'f'))).toBe('E_DATA_FILES');
  });
});

test('sounds of one rate tell it, and those of another are named', () => {
  const sound = (rate: number) => wav(1, 16, 1, new Uint8Array(8), rate);
  const files = [16_000, 16_000, 44_100].map((rate, i) => ({
    className: 'yes',
    name: `${i}.wav`,
    bytes: sound(rate),
  }));
  expect(readSampleFiles(files.slice(0, 2), 'sounds')).toMatchObject({ sampleRate: 16_000 });
  expect(readSampleFiles(files.slice(0, 2), 'sounds').warnings).toBeUndefined();
  const mixed = readSampleFiles(files, 'sounds');
  expect(mixed.sampleRate).toBe(16_000);
  expect(mixed.warnings).toEqual([
    expect.stringContaining('1 of 3 sounds have another sample rate than 16000 Hz (yes/2.wav: 44100 Hz)'),
  ]);
});
