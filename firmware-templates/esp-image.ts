import { createHash } from 'node:crypto';
import { type ElfSection, readElf } from './elf.ts';
import { badElf } from './errors.ts';

/** What the header of an image says beside its contents. */
export interface EspImageOptions {
  readonly chipId: number;
  /** Where in flash the image goes; mapped constants have to know. */
  readonly imageOffset: number;
  readonly flashBytes: number;
  readonly flashMode: 'qio' | 'qout' | 'dio' | 'dout';
  readonly flashFrequency: '20m' | '26m' | '40m' | '80m';
  /** Window through which flash is read, and its page size: sections there are not for the ROM to copy. */
  readonly mappedFlash: { readonly origin: number; readonly bytes: number; readonly pageBytes: number };
}

// Espressif: esptool documentation, Firmware Image Format.
const MAGIC = 0xe9;
const CHECKSUM_SEED = 0xef;
const MODES = { qio: 0, qout: 1, dio: 2, dout: 3 } as const;
const FREQUENCIES = { '40m': 0, '26m': 1, '20m': 2, '80m': 15 } as const;
const MIB = 1024 * 1024;
const NO_WRITE_PROTECT_PIN = 0xee;
const ANY_REVISION = 0xffff;
const SEGMENT_HEADER = 8;
const CHECKSUM_BLOCK = 16;
/** The ESP32's second-stage loader misses a last page with fewer bytes than this; esptool keeps clear of it. */
const LAST_PAGE_MINIMUM = 0x24;

interface Segment {
  readonly address: number;
  readonly bytes: Uint8Array;
}

function padded(bytes: Uint8Array, multiple: number): Uint8Array {
  const result = new Uint8Array(Math.ceil(bytes.length / multiple) * multiple);
  result.set(bytes);
  return result;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

/** Sections by address; those that touch become one segment. */
function segmentsOf(sections: readonly ElfSection[]): Segment[] {
  const segments: Segment[] = [];
  for (const { address, content } of [...sections].sort((a, b) => a.address - b.address)) {
    const bytes = padded(content, 4);
    const last = segments.at(-1);
    if (last && last.address + last.bytes.length === address)
      segments.splice(-1, 1, { address: last.address, bytes: concat([last.bytes, bytes]) });
    else segments.push({ address, bytes });
  }
  return segments;
}

function header(count: number, entry: number, options: EspImageOptions, hashed: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(24));
  const size = Math.log2(options.flashBytes / MIB) << 4;
  view.setUint8(0, MAGIC);
  view.setUint8(1, count);
  view.setUint8(2, MODES[options.flashMode]);
  view.setUint8(3, size | FREQUENCIES[options.flashFrequency]);
  view.setUint32(4, entry, true);
  view.setUint8(8, NO_WRITE_PROTECT_PIN);
  view.setUint16(12, options.chipId, true);
  view.setUint16(17, ANY_REVISION, true);
  view.setUint8(23, hashed ? 1 : 0);
  return new Uint8Array(view.buffer);
}

function segmentParts({ address, bytes }: Segment): Uint8Array[] {
  const head = new DataView(new ArrayBuffer(SEGMENT_HEADER));
  head.setUint32(0, address, true);
  head.setUint32(4, bytes.length, true);
  return [new Uint8Array(head.buffer), bytes];
}

/** What the ROM reads: header, segments, and the checksum as the last byte of a block of 16. */
function loadedPart(segments: readonly Segment[], entry: number, options: EspImageOptions, hashed: boolean) {
  const parts = [header(segments.length, entry, options, hashed), ...segments.flatMap(segmentParts)];
  const bytes = concat(parts);
  const whole = padded(concat([bytes, new Uint8Array(1)]), CHECKSUM_BLOCK);
  let sum = CHECKSUM_SEED;
  for (const segment of segments) for (const byte of segment.bytes) sum ^= byte;
  whole[whole.length - 1] = sum;
  return whole;
}

/** Zeros that bring a segment to where the low bits of its place in flash are those of its address. */
function zerosBefore(
  at: number,
  { address }: Segment,
  { imageOffset, mappedFlash }: EspImageOptions,
): number {
  const page = mappedFlash.pageBytes;
  const zeros = (((address - at - 2 * SEGMENT_HEADER) % page) + page) % page;
  return zeros < imageOffset ? zeros + page - imageOffset : zeros - imageOffset;
}

/** Everything behind the loaded part of `before` bytes: a segment of zeros and the one for mapped flash. */
function mappedPart(before: number, segment: Segment, options: EspImageOptions): Uint8Array {
  const zeros = zerosBefore(before, segment, options);
  const start = before + 2 * SEGMENT_HEADER + zeros;
  const { mappedFlash, imageOffset, chipId } = options;
  if (start + imageOffset !== segment.address - mappedFlash.origin)
    throw badElf('has its constants at an address that is not their place in flash');
  const end = (start + segment.bytes.length) % mappedFlash.pageBytes;
  const fill = chipId === 0 && end < LAST_PAGE_MINIMUM ? LAST_PAGE_MINIMUM - end : 0;
  const bytes = concat([segment.bytes, new Uint8Array(fill)]);
  return concat([
    ...segmentParts({ address: 0, bytes: new Uint8Array(zeros) }),
    ...segmentParts({ address: segment.address, bytes }),
  ]);
}

/**
 * The image of a linked firmware as an Espressif chip's ROM starts it: `firmware.bin`, to be written at `imageOffset`.
 * With constants in mapped flash it is what esptool's `elf2image --ram-only-header` makes, of which the ROM sees only
 * the parts for RAM; else what `elf2image` makes, with a SHA-256 at its end. Throws E_BAD_ELF.
 */
export function espImage(elfBytes: Uint8Array, options: EspImageOptions): Uint8Array {
  const elf = readElf(elfBytes);
  const { origin, bytes } = options.mappedFlash;
  const sections = elf.sections.filter(
    (section) => section.allocated && section.program && section.bytes > 0 && section.address !== 0,
  );
  const isMapped = ({ address }: { address: number }) => address >= origin && address < origin + bytes;
  const loaded = segmentsOf(sections.filter((section) => !isMapped(section)));
  const mapped = segmentsOf(sections.filter(isMapped));
  if (mapped.length > 1) throw badElf('has its constants in several parts of flash');
  const image = loadedPart(loaded, elf.entry, options, mapped.length === 0);
  if (!mapped[0]) return concat([image, createHash('sha256').update(image).digest()]);
  return concat([image, mappedPart(image.length, mapped[0], options)]);
}
