import { unzlibSync } from 'fflate';
import { badArrayFile, dataTooBig } from './errors.ts';

/** Pixels in rows from the top, channels together, 0 to 255. */
export interface Image {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3 | 4;
  readonly pixels: Uint8Array;
}

const sideLimit = 8192;
const pixelLimit = 67_108_864;
const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

interface Header {
  readonly width: number;
  readonly height: number;
  readonly colorType: number;
}

/** Samples a pixel by colour type: gray, RGB, palette, gray with alpha, RGB with alpha (PNG, 11.2.2). */
const samples: ReadonlyMap<number, number> = new Map([
  [0, 1],
  [2, 3],
  [3, 1],
  [4, 2],
  [6, 4],
]);

/** Reads an 8-bit PNG that is not interlaced; a palette becomes RGB, gray with alpha becomes gray. Throws E_PNG. */
export function readPng(bytes: Uint8Array, file: string): Image {
  if (!signature.every((code, i) => bytes[i] === code))
    throw badArrayFile(file, 'png', 'the first bytes are not those of PNG');
  const { header, palette, packed } = readChunks(bytes, file);
  const { width, height } = header;
  const perPixel = samples.get(header.colorType)!;
  const rowBytes = width * perPixel;
  const size = (rowBytes + 1) * height;
  if (size > packed.length * 1032) throw badArrayFile(file, 'png', 'it is cut short');
  const raw = inflate(packed, size, file);
  const rows = undoFilters(raw, rowBytes, height, perPixel, file);
  if (header.colorType === 3) return { width, height, channels: 3, pixels: lookUp(rows, palette, file) };
  if (header.colorType === 4)
    return { width, height, channels: 1, pixels: rows.filter((_, i) => i % 2 === 0) };
  return { width, height, channels: perPixel as 1 | 3 | 4, pixels: rows };
}

function readChunks(
  bytes: Uint8Array,
  file: string,
): { header: Header; palette: Uint8Array; packed: Uint8Array } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array[] = [];
  let header: Header | undefined;
  let palette = new Uint8Array(0);
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    if (length > bytes.length - at - 12) throw badArrayFile(file, 'png', 'it is cut short');
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const content = bytes.subarray(at + 8, at + 8 + length);
    if (type === 'IHDR') header = readPngHeader(content, file);
    else if (type === 'PLTE') palette = content.slice();
    else if (type === 'IDAT') parts.push(content);
    else if (type === 'IEND') break;
    at += 12 + length;
  }
  if (!header) throw badArrayFile(file, 'png', 'it has no header');
  return { header, palette, packed: joined(parts) };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function readPngHeader(content: Uint8Array, file: string): Header {
  if (content.length !== 13) throw badArrayFile(file, 'png', 'the header is damaged');
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const [width, height, depth, colorType, interlace] = [
    view.getUint32(0),
    view.getUint32(4),
    content[8]!,
    content[9]!,
    content[12]!,
  ];
  if (width === 0 || height === 0) throw badArrayFile(file, 'png', 'the image has no pixels');
  if (width > sideLimit || height > sideLimit || width * height * 4 > pixelLimit * 4)
    throw dataTooBig(file, width * height * 4, pixelLimit * 4);
  if (depth !== 8 || !samples.has(colorType))
    throw badArrayFile(file, 'png', `only 8 bits a channel are read, not ${depth}`);
  if (interlace !== 0) throw badArrayFile(file, 'png', 'interlaced images are not read');
  return { width, height, colorType };
}

function inflate(packed: Uint8Array, size: number, file: string): Uint8Array {
  let raw: Uint8Array;
  try {
    raw = unzlibSync(packed, { out: new Uint8Array(size) });
  } catch {
    throw badArrayFile(file, 'png', 'the pixels cannot be unpacked');
  }
  if (raw.length !== size) throw badArrayFile(file, 'png', 'it is cut short');
  return raw;
}

/** PNG, 9.4: the neighbour (left, above, above left) nearest to left + above - above left. */
function paeth(left: number, above: number, corner: number): number {
  const estimate = left + above - corner;
  const [a, b, c] = [Math.abs(estimate - left), Math.abs(estimate - above), Math.abs(estimate - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? above : corner;
}

/** What each filter type adds to the stored byte (PNG, 9.2). */
const filters: readonly ((left: number, above: number, corner: number) => number)[] = [
  () => 0,
  (left) => left,
  (_, above) => above,
  (left, above) => (left + above) >> 1,
  paeth,
];

function undoFilters(
  raw: Uint8Array,
  rowBytes: number,
  height: number,
  perPixel: number,
  file: string,
): Uint8Array {
  const rows = new Uint8Array(rowBytes * height);
  for (let y = 0; y < height; y++) {
    const predict = filters[raw[y * (rowBytes + 1)]!];
    if (!predict) throw badArrayFile(file, 'png', `row ${y} has an unknown filter`);
    const [from, to] = [y * (rowBytes + 1) + 1, y * rowBytes];
    for (let i = 0; i < rowBytes; i++) {
      const left = i >= perPixel ? rows[to + i - perPixel]! : 0;
      const above = y > 0 ? rows[to + i - rowBytes]! : 0;
      const corner = y > 0 && i >= perPixel ? rows[to + i - rowBytes - perPixel]! : 0;
      rows[to + i] = raw[from + i]! + predict(left, above, corner);
    }
  }
  return rows;
}

function lookUp(indices: Uint8Array, palette: Uint8Array, file: string): Uint8Array {
  const pixels = new Uint8Array(indices.length * 3);
  for (const [i, index] of indices.entries()) {
    if (index * 3 + 3 > palette.length)
      throw badArrayFile(file, 'png', `colour ${index} is not in the palette`);
    pixels.set(palette.subarray(index * 3, index * 3 + 3), i * 3);
  }
  return pixels;
}
