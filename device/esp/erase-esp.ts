import type { Transport } from '../transport/transport.ts';
import { eraseIncomplete, eraseMisaligned, rangeOutside } from './errors.ts';
import { md5Of } from './flash-commands.ts';
import { checkSecurity } from './flash-esp.ts';
import { type Loader, type LoaderOptions, openLoader } from './open-loader.ts';
import { SECTOR_BYTES } from './protocol.ts';

export interface EspRange {
  /** Counted from the start of the flash. */
  readonly address: number;
  readonly bytes: number;
}

export interface EraseEspOptions extends LoaderOptions {
  /** What the board description says; counts where the flash itself does not tell. */
  readonly flashBytes: number;
  /** Whole sectors of 4 KiB; the whole flash, however large it is, when not given. */
  readonly range?: EspRange;
  /** Erase although the chip has secure boot or encrypts its flash. */
  readonly force?: boolean;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface EraseEspReport {
  readonly address: number;
  /** All of them, erased now or before. */
  readonly bytesErased: number;
  readonly sectorsErased: number;
}

/** Much at once is quicker; little is repeated sooner, and shows progress. */
const STEP_BYTES = 256 * 1024;
const ATTEMPTS = 4;
const ERASED = 0xff;

async function eraseStep({ session, commands }: Loader, address: number, bytes: number): Promise<void> {
  const step = `erase ${bytes} bytes at 0x${address.toString(16)}`;
  const wanted = md5Of(new Uint8Array(bytes).fill(ERASED));
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if ((await session.persist(step, () => commands.md5(address, bytes))) === wanted) return;
    await session.persist(step, () => commands.erase(address, bytes));
  }
  if ((await session.persist(step, () => commands.md5(address, bytes))) !== wanted)
    throw eraseIncomplete(address, bytes);
}

/**
 * Erases the flash of an ESP32-family chip, or whole sectors of it, and proves it by MD5. What is erased already is
 * left alone. The loader stays.
 * Errors: E_ERASE_RANGE, E_FLASH_RANGE, E_ERASE_FAILED, and those of `flashEsp`.
 */
export async function eraseEsp(transport: Transport, options: EraseEspOptions): Promise<EraseEspReport> {
  if (options.range) checkAligned(options.range);
  const loader = await openLoader(transport, options);
  checkSecurity(loader, transport.name, options.force ?? false);
  const flashBytes = loader.flash.bytes ?? options.flashBytes;
  const { address, bytes } = options.range ?? { address: 0, bytes: flashBytes };
  if (address + bytes > flashBytes) throw rangeOutside(address, bytes, flashBytes);
  for (let done = 0; done < bytes; done += STEP_BYTES) {
    await eraseStep(loader, address + done, Math.min(STEP_BYTES, bytes - done));
    options.onProgress?.(Math.min(done + STEP_BYTES, bytes), bytes);
  }
  return { address, bytesErased: bytes, sectorsErased: bytes / SECTOR_BYTES };
}

function checkAligned({ address, bytes }: EspRange): void {
  if (address % SECTOR_BYTES !== 0 || bytes % SECTOR_BYTES !== 0 || bytes <= 0)
    throw eraseMisaligned(address, bytes, SECTOR_BYTES);
}
