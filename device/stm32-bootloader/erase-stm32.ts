import { eraseFailed, eraseRangeRefused } from '../errors.ts';
import { expandSectors, type Sector } from '../sectors.ts';
import type { Transport } from '../transport/transport.ts';
import { defaultWiring, type Wiring } from '../transport/wiring.ts';
import { BLOCK_BYTES } from './bootloader-link.ts';
import { BootloaderSession } from './bootloader-session.ts';
import { checkChip, eraseCommandOf, startImage } from './flash-stm32.ts';
import type { Stm32Target } from './image-plan.ts';
import { type BootloaderTimeouts, defaultTimeouts } from './timeouts.ts';

export interface FlashRange {
  readonly address: number;
  readonly bytes: number;
}

interface ConnectOptions {
  readonly target: Stm32Target;
  readonly baud?: number;
  readonly wiring?: Wiring;
  readonly signal?: AbortSignal;
  readonly timeouts?: Partial<BootloaderTimeouts>;
}

export interface EraseOptions extends ConnectOptions {
  /** Whole sectors; the whole flash when not given. */
  readonly range?: FlashRange;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface EraseReport {
  readonly address: number;
  readonly bytesErased: number;
  readonly sectorsErased: number;
}

const ERASED = 0xff;
/** Reading takes ten times as long as erasing, so both ends of each sector stand for it. */
const PROBE_BYTES = BLOCK_BYTES;

/** The sectors that make up a range exactly. E_ERASE_RANGE. */
function sectorsIn(target: Stm32Target, range: FlashRange | undefined): Sector[] {
  const all = expandSectors(target.sectors, target.flashAddress, target.flashBytes);
  if (!range) return all;
  const ends = [target.flashAddress, ...all.map(({ address, bytes }) => address + bytes)];
  const end = range.address + range.bytes;
  if (range.bytes <= 0) throw eraseRangeRefused('it is empty', ends);
  if (!ends.includes(range.address)) throw eraseRangeRefused('it does not begin where a sector does', ends);
  if (!ends.includes(end)) throw eraseRangeRefused('it does not end where a sector does', ends);
  return all.filter(({ address }) => address >= range.address && address < end);
}

async function checkErased(
  session: BootloaderSession,
  { index, address, bytes }: Sector,
  erased = ERASED,
): Promise<void> {
  const probe = Math.min(PROBE_BYTES, bytes);
  for (const at of new Set([address, address + bytes - probe])) {
    const found = await session.confirm(`read sector ${index}`, async () =>
      Array.from(await session.link.read(at, probe)),
    );
    const wrong = found.findIndex((byte) => byte !== erased);
    if (wrong >= 0) throw eraseFailed(at + wrong, found[wrong]!);
  }
}

async function openSession(transport: Transport, options: ConnectOptions): Promise<BootloaderSession> {
  const baud = options.baud ?? 115_200;
  const timeouts = { ...defaultTimeouts, ...options.timeouts };
  const wiring = options.wiring ?? defaultWiring;
  const session = new BootloaderSession(transport, { baud, wiring, timeouts, signal: options.signal });
  await transport.setBaud(baud, 'even');
  await session.connect();
  session.deadline = transport.clock.now() + timeouts.checkMs;
  return session;
}

/**
 * Erases an STM32's flash, or whole sectors of it, through its factory boot loader (AN3155), and looks at both ends of
 * each sector. Starts what is left of the program, if its vector table is. Leaves the port at 8E1.
 * Errors: those of `flashStm32` before it erases; E_ERASE_RANGE, E_ERASE_FAILED.
 */
export async function eraseStm32(transport: Transport, options: EraseOptions): Promise<EraseReport> {
  const { target } = options;
  const sectors = sectorsIn(target, options.range);
  const total = sectors.reduce((sum, sector) => sum + sector.bytes, 0);
  const session = await openSession(transport, options);
  const command = eraseCommandOf(await checkChip(session, transport.name, target), transport.name);
  const { eraseMs, erasePerKibMs, totalMs } = { ...defaultTimeouts, ...options.timeouts };
  session.deadline =
    transport.clock.now() + totalMs + 2 * (sectors.length * eraseMs + (total / 1024) * erasePerKibMs);
  let done = 0;
  for (const sector of sectors) {
    options.signal?.throwIfAborted();
    await session.persist(`erase sector ${sector.index}`, () =>
      session.link.erase(command, [sector.index], sector.bytes),
    );
    await checkErased(session, sector, target.erased);
    done += sector.bytes;
    options.onProgress?.(done, total);
  }
  if (sectors[0]!.address !== target.flashAddress) await startImage(session, transport, target.flashAddress);
  return { address: sectors[0]!.address, bytesErased: total, sectorsErased: sectors.length };
}

/**
 * Starts the program of an STM32 whose boot loader runs, where the port has no reset lines (AN3155: Go).
 * Errors: E_BOARD_SILENT, E_WRONG_CHIP, E_READ_PROTECTED.
 */
export async function startStm32(transport: Transport, options: ConnectOptions): Promise<void> {
  const session = await openSession(transport, options);
  await checkChip(session, transport.name, options.target);
  await startImage(session, transport, options.target.flashAddress);
}
