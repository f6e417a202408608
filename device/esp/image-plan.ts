import { imageTooLarge } from '../errors.ts';
import { chipById, chipFacts, type EspChip } from './chips.ts';
import { imageForOtherChip, partMisaligned, partsOverlap } from './errors.ts';
import { SECTOR_BYTES } from './protocol.ts';

/** Bytes and where in flash they belong: an image, a partition table, a bootloader. */
export interface FlashPart {
  readonly address: number;
  readonly data: Uint8Array;
}

/** A sector of the flash and what shall be in it; the rest of it stays erased. */
export interface PlannedSector {
  readonly address: number;
  readonly data: Uint8Array;
}

export interface FlashPlan {
  readonly parts: readonly FlashPart[];
  /** In the order of their addresses. */
  readonly sectors: readonly PlannedSector[];
  /** That which the ROM looks at first: without it nothing starts. */
  readonly first: PlannedSector;
  readonly bytes: number;
}

/** ESP-IDF Programming Guide, "App Image Format": where the header tells the chip, and what it begins with. */
const IMAGE_MAGIC = 0xe9;
const IMAGE_CHIP_ID_AT = 12;
const IMAGE_HEADER_BYTES = 24;

const endOf = ({ address, data }: FlashPart): number => address + data.length;
const sectorEnd = (part: FlashPart): number => Math.ceil(endOf(part) / SECTOR_BYTES) * SECTOR_BYTES;

function checkChip({ address, data }: FlashPart, chip: EspChip): void {
  if (data.length < IMAGE_HEADER_BYTES || data[0] !== IMAGE_MAGIC) return;
  const id = data[IMAGE_CHIP_ID_AT]! | (data[IMAGE_CHIP_ID_AT + 1]! << 8);
  const { chipId, name } = chipFacts[chip];
  const found = chipById(id);
  // Data that begins with the same byte by accident names no chip that there is, and stands elsewhere.
  if (id !== chipId && (found !== undefined || address === chipFacts[chip].bootOffset))
    throw imageForOtherChip(found ? chipFacts[found].name : `chip with id ${id}`, name);
}

/** Everything about the parts that can be wrong without asking the chip: E_IMAGE, E_IMAGE_TOO_LARGE. */
export function planParts(given: readonly FlashPart[], chip: EspChip, flashBytes: number): FlashPlan {
  const parts = given.filter(({ data }) => data.length > 0).toSorted((a, b) => a.address - b.address);
  for (const part of parts) {
    if (part.address % SECTOR_BYTES !== 0) throw partMisaligned(part.address, SECTOR_BYTES);
    checkChip(part, chip);
  }
  parts.slice(1).forEach((part, i) => {
    if (part.address < sectorEnd(parts[i]!)) throw partsOverlap(parts[i]!.address, part.address);
  });
  checkSize(parts, flashBytes);
  const sectors = parts.flatMap(sectorsOf);
  const boot = parts.find(({ address }) => address === chipFacts[chip].bootOffset) ?? parts[0];
  if (!boot) throw partMisaligned(0, SECTOR_BYTES);
  return {
    parts,
    sectors,
    first: sectors.find(({ address }) => address === boot.address)!,
    bytes: parts.reduce((sum, { data }) => sum + data.length, 0),
  };
}

/** Asked again once the chip told how large its flash is. */
export function checkSize(parts: readonly FlashPart[], flashBytes: number): void {
  const last = parts.at(-1);
  if (last && endOf(last) > flashBytes)
    throw imageTooLarge(last.data.length, Math.max(0, flashBytes - last.address));
}

function sectorsOf({ address, data }: FlashPart): PlannedSector[] {
  const sectors: PlannedSector[] = [];
  for (let at = 0; at < data.length; at += SECTOR_BYTES)
    sectors.push({ address: address + at, data: data.subarray(at, at + SECTOR_BYTES) });
  return sectors;
}

/** Neighbors together, up to `limit` sectors. */
export function runsOf(sectors: readonly PlannedSector[], limit: number): PlannedSector[][] {
  const runs: PlannedSector[][] = [];
  for (const sector of sectors) {
    const run = runs.at(-1);
    const follows = run?.at(-1)?.address === sector.address - SECTOR_BYTES;
    if (run && follows && run.length < limit) run.push(sector);
    else runs.push([sector]);
  }
  return runs;
}
