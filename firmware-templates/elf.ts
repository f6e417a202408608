import { badElf } from './errors.ts';

export interface ElfSection {
  readonly name: string;
  readonly address: number;
  readonly bytes: number;
  /** Takes place in the target's memory. */
  readonly allocated: boolean;
  readonly writable: boolean;
  readonly executable: boolean;
  /** Has content in the file; false for .bss and the like. */
  readonly loaded: boolean;
  /** Part of the program itself, rather than a table about it. */
  readonly program: boolean;
  /** A view of the file; empty where nothing is loaded. */
  readonly content: Uint8Array;
}

export interface ElfSymbol {
  readonly name: string;
  readonly address: number;
  readonly bytes: number;
  readonly kind: 'object' | 'function' | 'other';
}

export interface Elf {
  /** Address of the first instruction. */
  readonly entry: number;
  readonly sections: readonly ElfSection[];
  readonly symbols: readonly ElfSymbol[];
}

// System V ABI, edition 4.1, chapter 4: sizes of the 32-bit structures and the values used here.
const HEADER_BYTES = 52;
const SECTION_BYTES = 40;
const SYMBOL_BYTES = 16;
const SHT_PROGBITS = 1;
const SHT_SYMTAB = 2;
const SHT_NOBITS = 8;
const KINDS = { 1: 'object', 2: 'function' } as const;

interface RawSection {
  readonly nameOffset: number;
  readonly type: number;
  readonly flags: number;
  readonly address: number;
  readonly offset: number;
  readonly bytes: number;
  readonly link: number;
}

function slice(bytes: Uint8Array, offset: number, length: number, what: string): Uint8Array {
  if (offset + length > bytes.length) throw badElf(`${what} lies outside the file`);
  return bytes.subarray(offset, offset + length);
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function textAt(table: Uint8Array, offset: number): string {
  const end = table.indexOf(0, offset);
  if (offset >= table.length || end < 0) throw badElf('a name lies outside its table');
  return new TextDecoder('latin1').decode(table.subarray(offset, end));
}

function rawSections(bytes: Uint8Array): { sections: RawSection[]; namesIndex: number; entry: number } {
  const header = viewOf(slice(bytes, 0, HEADER_BYTES, 'the header'));
  if (header.getUint32(0) !== 0x7f454c46) throw badElf('is not an ELF file');
  if (header.getUint8(4) !== 1 || header.getUint8(5) !== 1)
    throw badElf('is not a 32-bit little-endian ELF file');
  const size = header.getUint16(46, true);
  if (size !== SECTION_BYTES)
    throw badElf(`has section headers of ${size} bytes instead of ${SECTION_BYTES}`);
  const count = header.getUint16(48, true);
  const table = viewOf(slice(bytes, header.getUint32(32, true), count * SECTION_BYTES, 'the section table'));
  const sections = Array.from({ length: count }, (_, index) => {
    const field = (number: number) => table.getUint32(index * SECTION_BYTES + number * 4, true);
    return {
      nameOffset: field(0),
      type: field(1),
      flags: field(2),
      address: field(3),
      offset: field(4),
      bytes: field(5),
      link: field(6),
    };
  });
  return { sections, namesIndex: header.getUint16(50, true), entry: header.getUint32(24, true) };
}

function contentOf(bytes: Uint8Array, section: RawSection | undefined, what: string): Uint8Array {
  if (!section || section.type === SHT_NOBITS) throw badElf(`${what} is missing`);
  return slice(bytes, section.offset, section.bytes, what);
}

function symbolsOf(bytes: Uint8Array, sections: readonly RawSection[]): ElfSymbol[] {
  const section = sections.find(({ type }) => type === SHT_SYMTAB);
  if (!section) return [];
  const table = viewOf(contentOf(bytes, section, 'the symbol table'));
  const names = contentOf(bytes, sections[section.link], 'the table of symbol names');
  return Array.from({ length: Math.floor(table.byteLength / SYMBOL_BYTES) }, (_, index) => {
    const at = index * SYMBOL_BYTES;
    const kind = table.getUint8(at + 12) & 0xf;
    return {
      name: textAt(names, table.getUint32(at, true)),
      address: table.getUint32(at + 4, true),
      bytes: table.getUint32(at + 8, true),
      kind: kind === 1 || kind === 2 ? KINDS[kind] : 'other',
    };
  });
}

/** The sections and symbols of a 32-bit little-endian ELF file. Throws E_BAD_ELF; never reads outside `bytes`. */
export function readElf(bytes: Uint8Array): Elf {
  const { sections, namesIndex, entry } = rawSections(bytes);
  const names = contentOf(bytes, sections[namesIndex], 'the table of section names');
  return {
    entry,
    sections: sections.map((section) => ({
      name: textAt(names, section.nameOffset),
      address: section.address,
      bytes: section.bytes,
      allocated: (section.flags & 2) !== 0,
      writable: (section.flags & 1) !== 0,
      executable: (section.flags & 4) !== 0,
      loaded: section.type !== SHT_NOBITS,
      program: section.type === SHT_PROGBITS,
      content: section.type === SHT_NOBITS ? new Uint8Array() : contentOf(bytes, section, 'a section'),
    })),
    symbols: symbolsOf(bytes, sections),
  };
}

/** Name of the function that holds a code address, such as the pc of a crash frame. */
export function functionAt(elf: Elf, address: number): string | undefined {
  // Bit 0 of a Thumb function's address is a mark, not a place.
  const place = address & ~1;
  return elf.symbols.find(({ kind, address: start, bytes }) => {
    const first = start & ~1;
    return kind === 'function' && place >>> 0 >= first >>> 0 && place >>> 0 < (first >>> 0) + bytes;
  })?.name;
}

export interface CodePlace {
  readonly name: string;
  /** Bytes from the start of the function. */
  readonly offset: number;
}

/**
 * The function that a code address belongs to. Functions written in assembly often have no size: one that begins before
 * the address in the same section is then taken, if none with a size holds it.
 */
export function placeOf(elf: Elf, address: number): CodePlace | undefined {
  const place = (address & ~1) >>> 0;
  const startOf = ({ address: start }: ElfSymbol) => (start & ~1) >>> 0;
  const section = elf.sections.find(
    (one) => one.executable && place >= one.address && place < one.address + one.bytes,
  );
  if (!section) return undefined;
  const before = elf.symbols.filter(
    (one) => one.kind === 'function' && startOf(one) <= place && startOf(one) >= section.address,
  );
  const holder =
    before.find((one) => place < startOf(one) + one.bytes) ??
    before.filter(({ bytes }) => bytes === 0).sort((a, b) => startOf(b) - startOf(a))[0];
  return holder && { name: holder.name, offset: place - startOf(holder) };
}
