import { inflateSync, zipSync } from 'fflate';
import { crc32 } from '../../common/crc32.ts';
import { type DataArray, dataLimit } from './array.ts';
import { badArrayFile, dataTooBig } from './errors.ts';
import { readNpy } from './npy.ts';

/** One file of a zip archive, as its central directory describes it. */
interface Entry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly offset: number;
}

const entryLimit = 1000;
const endLength = 22;
const centralLength = 46;
const localLength = 30;
/** Deflate cannot do better: 258 bytes from two bits (RFC 1951). */
const deflateRatio = 1032;

/**
 * The arrays of a .npz file by name, in the file's order. Sizes are checked against the file and the limits before
 * anything is unpacked, contents against their CRC-32 after. Throws E_NPZ, E_DATA_TOO_BIG and what readNpy throws.
 */
export function readNpz(bytes: Uint8Array, file: string): ReadonlyMap<string, DataArray> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries = readDirectory(bytes, view, file).filter((entry) => !entry.name.endsWith('/'));
  const total = entries.reduce((sum, entry) => sum + entry.size, 0);
  if (total > dataLimit) throw dataTooBig(file, total, dataLimit);
  const arrays = new Map<string, DataArray>();
  for (const entry of entries) {
    const name = entry.name.replace(/\.npy$/, '');
    if (arrays.has(name)) throw badArrayFile(file, 'npz', `two arrays are named ${JSON.stringify(name)}`);
    arrays.set(name, readNpy(unpack(bytes, view, entry, file), `${file}[${name}]`, name));
  }
  if (arrays.size === 0) throw badArrayFile(file, 'npz', 'it holds no arrays');
  return arrays;
}

/** Offset of the end-of-central-directory record: the last signature within reach of the longest comment. */
function findEnd(view: DataView): number | undefined {
  for (let at = view.byteLength - endLength; at >= 0 && at >= view.byteLength - endLength - 65_535; at--) {
    if (view.getUint32(at, true) === 0x06054b50) return at;
  }
  return undefined;
}

function readDirectory(bytes: Uint8Array, view: DataView, file: string): Entry[] {
  const end = findEnd(view);
  if (end === undefined)
    throw badArrayFile(file, 'npz', 'the zip directory at its end is missing (cut short?)');
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  if (count > entryLimit) throw badArrayFile(file, 'npz', `${count} entries are more than ${entryLimit}`);
  const entries: Entry[] = [];
  for (let i = 0; i < count; i++) {
    if (at + centralLength > end || view.getUint32(at, true) !== 0x02014b50) {
      throw badArrayFile(file, 'npz', `entry ${i} of the zip directory is damaged`);
    }
    const nameLength = view.getUint16(at + 28, true);
    const next =
      at + centralLength + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (next > end) throw badArrayFile(file, 'npz', `entry ${i} of the zip directory is damaged`);
    entries.push(readEntry(bytes, view, at, nameLength, file));
    at = next;
  }
  return entries;
}

function readEntry(bytes: Uint8Array, view: DataView, at: number, nameLength: number, file: string): Entry {
  const nameStart = at + centralLength;
  const name = new TextDecoder().decode(bytes.subarray(nameStart, nameStart + nameLength));
  if (view.getUint16(at + 8, true) & 1) throw badArrayFile(file, 'npz', `${name} is encrypted`);
  const wide = readWideFields(view, nameStart + nameLength, view.getUint16(at + 30, true));
  const field = (offset: number) => {
    const value = view.getUint32(at + offset, true);
    return value === 0xffffffff ? (wide.shift() ?? value) : value;
  };
  // The extended fields come in this order, each only if its short field is full.
  const size = field(24);
  const packed = field(20);
  const offset = field(42);
  return {
    name,
    method: view.getUint16(at + 10, true),
    crc: view.getUint32(at + 16, true),
    packed,
    size,
    offset,
  };
}

/** Numbers of the Zip64 extra field (header 0x0001), which numpy writes for streams of unknown size. */
function readWideFields(view: DataView, start: number, length: number): number[] {
  for (let at = start; at + 4 <= start + length; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== 1) continue;
    const count = Math.floor(Math.min(view.getUint16(at + 2, true), start + length - at - 4) / 8);
    return Array.from({ length: count }, (_, i) => Number(view.getBigUint64(at + 4 + i * 8, true)));
  }
  return [];
}

function unpack(bytes: Uint8Array, view: DataView, entry: Entry, file: string): Uint8Array {
  const { offset, packed, size, name } = entry;
  const damaged = (what: string) => badArrayFile(file, 'npz', `${name} ${what}`);
  if (offset + localLength > bytes.length || view.getUint32(offset, true) !== 0x04034b50)
    throw damaged('is not where the directory says');
  const start = offset + localLength + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
  if (start + packed > bytes.length) throw damaged('is cut short');
  const content = bytes.subarray(start, start + packed);
  const plain = entry.method === 0 ? content : inflate(content, entry, damaged);
  if (plain.length !== size) throw damaged(`has ${plain.length} bytes instead of ${size}`);
  if (crc32(plain) !== entry.crc) throw damaged('does not match its checksum');
  return plain;
}

function inflate(content: Uint8Array, entry: Entry, damaged: (what: string) => Error): Uint8Array {
  if (entry.method !== 8)
    throw damaged(`is packed with method ${entry.method}; only stored and deflated entries are read`);
  if (entry.size > content.length * deflateRatio)
    throw damaged(`claims ${entry.size} bytes from ${content.length}`);
  try {
    // The buffer of the promised size bounds what is written, whatever the stream holds.
    return inflateSync(content, { out: new Uint8Array(entry.size) });
  } catch {
    throw damaged('cannot be unpacked');
  }
}

/** A .npz file of arrays given as .npy files; the same arrays give the same bytes. */
export function writeNpz(arrays: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const files = Object.fromEntries([...arrays].map(([name, npy]) => [`${name}.npy`, npy]));
  return zipSync(files, { level: 0, mtime: '1980-01-01T00:00:00' });
}
