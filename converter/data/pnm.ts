import { badArrayFile } from './errors.ts';
import type { Image } from './png.ts';

/** Reads a binary PGM (P5) or PPM (P6) of 8 bits a channel. Throws E_PNM. */
export function readPnm(bytes: Uint8Array, file: string): Image {
  // The header is short; comments in it are allowed by the format.
  const head = String.fromCharCode(...bytes.subarray(0, 512)).replace(/#[^\n]*/g, (text) =>
    ' '.repeat(text.length),
  );
  const match = /^P([56])\s+(\d{1,5})\s+(\d{1,5})\s+(\d{1,5})\s/.exec(head);
  if (!match) throw badArrayFile(file, 'pnm', 'the header is not that of a binary PGM or PPM');
  const [width, height, most] = [Number(match[2]), Number(match[3]), Number(match[4])];
  if (most !== 255)
    throw badArrayFile(file, 'pnm', `only 8 bits a channel are read, the highest value is ${most}`);
  const channels = match[1] === '5' ? 1 : 3;
  const size = width * height * channels;
  const start = match[0].length;
  if (size === 0) throw badArrayFile(file, 'pnm', 'the image has no pixels');
  if (start + size > bytes.length) throw badArrayFile(file, 'pnm', 'it is cut short');
  return { width, height, channels, pixels: bytes.slice(start, start + size) };
}
