import { imageRefused, imageTooLarge } from '../errors.ts';
import { expandSectors, type Sector, type SectorRun } from '../sectors.ts';
import { BLOCK_BYTES } from './bootloader-link.ts';

/** What the client must know of the chip; the board description supplies it. */
export interface Stm32Target {
  /** The answer to Get ID, 0x413 for an STM32F405. */
  readonly chipId: number;
  readonly flashAddress: number;
  readonly flashBytes: number;
  readonly sectors: readonly SectorRun[];
  /** What an erased byte reads as: 0xff when not given, 0x00 in an STM32L0 and L1. */
  readonly erased?: number;
  /** Bytes that the flash programs at once: 4 when not given, up to 32 in an STM32H7. */
  readonly programBytes?: number;
}

export interface Block {
  readonly address: number;
  readonly data: Uint8Array;
  readonly sector: Sector;
}

export interface ImagePlan {
  readonly image: Uint8Array;
  readonly sectors: readonly Sector[];
  /** In address order; the first one holds the vector table. */
  readonly blocks: readonly Block[];
  /** Whether bytes are as the chip leaves them when it erases. */
  readonly isErased: (bytes: Uint8Array) => boolean;
}

const ERASED = 0xff;
const WORD = 4;
const SMALLEST_VECTOR_TABLE = 8;

/** Filled up to what the flash programs at once; the boot loader itself takes whole words only. */
function padded(image: Uint8Array, { erased = ERASED, programBytes = WORD }: Stm32Target): Uint8Array {
  const whole = new Uint8Array(Math.ceil(image.length / programBytes) * programBytes).fill(erased);
  whole.set(image);
  return whole;
}

/** ARMv7-M: word 0 is the initial stack pointer, word 1 the reset handler with bit 0 set for Thumb. */
function checkVectors(image: Uint8Array, target: Stm32Target): void {
  const view = new DataView(image.buffer, image.byteOffset);
  const stack = view.getUint32(0, true);
  const reset = view.getUint32(4, true);
  const inside = reset >= target.flashAddress && reset < target.flashAddress + image.length;
  if (!inside || (reset & 1) === 0) {
    throw imageRefused(`its reset vector 0x${reset.toString(16)} does not point into it`);
  }
  if (stack < 0x10000000 || stack >= 0x40000000 || stack % 4 !== 0) {
    throw imageRefused(`its initial stack pointer 0x${stack.toString(16)} is not in RAM`);
  }
}

/** The image cut into blocks by sector. Errors: E_IMAGE, E_IMAGE_TOO_LARGE. */
export function planImage(image: Uint8Array, target: Stm32Target): ImagePlan {
  if (image.length > target.flashBytes) throw imageTooLarge(image.length, target.flashBytes);
  if (image.length < SMALLEST_VECTOR_TABLE) throw imageRefused(`it has ${image.length} bytes`);
  checkVectors(image, target);
  const whole = padded(image, target);
  const end = target.flashAddress + whole.length;
  const sectors = expandSectors(target.sectors, target.flashAddress, target.flashBytes).filter(
    (sector) => sector.address < end,
  );
  const last = sectors.at(-1);
  if (!last || last.address + last.bytes < end) {
    throw imageTooLarge(image.length, last ? last.address + last.bytes - target.flashAddress : 0);
  }
  const blocks = sectors.flatMap((sector) => blocksOf(sector, whole, target.flashAddress));
  const { erased = ERASED } = target;
  return { image: whole, sectors, blocks, isErased: (bytes) => bytes.every((byte) => byte === erased) };
}

function blocksOf(sector: Sector, image: Uint8Array, base: number): Block[] {
  const blocks: Block[] = [];
  const end = Math.min(sector.address + sector.bytes, base + image.length);
  for (let address = sector.address; address < end; address += BLOCK_BYTES) {
    const stop = Math.min(address + BLOCK_BYTES, end);
    blocks.push({ address, data: image.subarray(address - base, stop - base), sector });
  }
  return blocks;
}
