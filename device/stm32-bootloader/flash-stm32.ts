import { bootloaderTooOld, readProtected, wrongChip } from '../errors.ts';
import type { Transport } from '../transport/transport.ts';
import { defaultWiring, type Wiring } from '../transport/wiring.ts';
import { type BootloaderInfo, ERASE, EXTENDED_ERASE } from './bootloader-link.ts';
import { BootloaderSession } from './bootloader-session.ts';
import { Flasher, type FlashProgress } from './flasher.ts';
import { type ImagePlan, planImage, type Stm32Target } from './image-plan.ts';
import { LinkFault } from './link-fault.ts';
import { type BootloaderTimeouts, defaultTimeouts } from './timeouts.ts';

export type { FlashProgress } from './flasher.ts';
export type { Stm32Target } from './image-plan.ts';

export interface FlashOptions {
  readonly target: Stm32Target;
  readonly baud?: number;
  readonly wiring?: Wiring;
  /** Whether the image is started afterwards, by reset or, without reset lines, by the Go command. Yes by default. */
  readonly start?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: FlashProgress) => void;
  readonly timeouts?: Partial<BootloaderTimeouts>;
}

export interface FlashReport {
  readonly chipId: number;
  readonly bootloaderVersion: string;
  readonly imageBytes: number;
  readonly bytesWritten: number;
  /** Bytes that were there already, from an earlier run, and were left alone. */
  readonly bytesKept: number;
  readonly sectorsErased: number;
  /** Always the whole image, read back and compared. */
  readonly bytesVerified: number;
  readonly retries: number;
  readonly resets: number;
  readonly elapsedMs: number;
}

/** Three to write a block, three to read it, and some for looking first. */
const EXCHANGES_PER_BLOCK = 8;
/** Covered by the other terms of the deadline. */
const USUAL_DELAY_MS = 10;
const PROBE_BYTES = 16;
/** A block that was written wrong costs its whole sector: larger ones get time to be written again. */
const LARGE_SECTOR = 16_384;
const REFUSALS_OF_A_PROTECTED_CHIP = 4;

/** A chip with read protection refuses to read, whoever asks and however often. */
async function checkProtection(session: BootloaderSession, port: string, address: number): Promise<void> {
  let refusals = 0;
  await session.persist('read the flash', async () => {
    try {
      await session.link.read(address, PROBE_BYTES);
    } catch (error) {
      const refused = error instanceof LinkFault && error.kind === 'refused' && error.stage === 'command';
      refusals = refused ? refusals + 1 : 0;
      if (refusals === REFUSALS_OF_A_PROTECTED_CHIP) throw readProtected(port);
      throw error;
    }
  });
}

/** The right chip, and one that can be read: E_WRONG_CHIP, E_READ_PROTECTED. */
export async function checkChip(
  session: BootloaderSession,
  port: string,
  target: Stm32Target,
): Promise<BootloaderInfo> {
  const info = await session.confirm('read the list of commands', () => session.link.get());
  const id = await session.confirm('read the chip id', () => session.link.getId());
  if (id !== target.chipId) throw wrongChip(port, id, target.chipId);
  session.chipId = id;
  await checkProtection(session, port, target.flashAddress);
  return info;
}

/** The code of the erase command that the chip has; E_BOOTLOADER when it has none. */
export function eraseCommandOf(info: BootloaderInfo, port: string): number {
  if (info.commands.includes(EXTENDED_ERASE)) return EXTENDED_ERASE;
  if (info.commands.includes(ERASE)) return ERASE;
  throw bootloaderTooOld(port, 'erase flash');
}

/** Time for the whole job: some times what it takes on a clean link, which on a far one is mostly waiting. */
function jobMs(plan: ImagePlan, baud: number, delayMs: number, timeouts: BootloaderTimeouts): number {
  const transferMs = (2 * plan.image.length * 12 * 1000) / baud;
  const waitingMs = plan.blocks.length * EXCHANGES_PER_BLOCK * Math.max(0, delayMs - USUAL_DELAY_MS);
  const eraseMs = plan.sectors.reduce(
    (sum, sector) => sum + (sector.bytes / 1024) * timeouts.erasePerKibMs,
    0,
  );
  const largeBytes = plan.sectors.reduce((sum, { bytes }) => sum + (bytes > LARGE_SECTOR ? bytes : 0), 0);
  const repeatMs = (timeouts.sectorRepeats * largeBytes * 12 * 1000) / baud;
  return timeouts.totalMs + timeouts.totalTransfers * (transferMs + waitingMs) + 2 * eraseMs + repeatMs;
}

/**
 * Writes an image to the start of an STM32's flash through its factory boot loader (AN3155) and reads all of it back.
 * Sectors and blocks that hold the right bytes already stay as they are, so a run that was cut short is taken up where
 * it stopped. From the first erased sector until all is verified the vector table is missing: a partial image does not
 * start. Leaves the port at 8E1.
 * Errors, before anything is erased: E_IMAGE, E_IMAGE_TOO_LARGE, E_BOARD_SILENT, E_WRONG_CHIP, E_READ_PROTECTED,
 * E_BOOTLOADER; later: E_DEVICE_LOST, E_FLASH_LINK, E_FLASH_REFUSED, E_VERIFY_FAILED, or the signal's reason.
 */
export async function flashStm32(
  transport: Transport,
  image: Uint8Array,
  options: FlashOptions,
): Promise<FlashReport> {
  const baud = options.baud ?? 115_200;
  const timeouts = { ...defaultTimeouts, ...options.timeouts };
  const wiring = options.wiring ?? defaultWiring;
  const progress = options.onProgress ?? (() => {});
  const plan = planImage(image, options.target);
  const started = transport.clock.now();
  const session = new BootloaderSession(transport, { baud, wiring, timeouts, signal: options.signal });

  progress({ phase: 'connect', done: 0, total: 1 });
  await transport.setBaud(baud, 'even');
  await session.connect();
  session.deadline = transport.clock.now() + timeouts.checkMs;
  const info = await checkChip(session, transport.name, options.target);
  session.deadline = transport.clock.now() + jobMs(plan, baud, session.link.delayMs, timeouts);
  progress({ phase: 'connect', done: 1, total: 1 });

  const flasher = new Flasher(session, plan, eraseCommandOf(info, transport.name), progress);
  await flasher.run();
  if (options.start ?? true) await startImage(session, transport, options.target.flashAddress);
  return {
    chipId: options.target.chipId,
    bootloaderVersion: `${info.version >> 4}.${info.version & 15}`,
    imageBytes: image.length,
    bytesWritten: flasher.bytesWritten,
    bytesKept: Math.max(0, plan.image.length - flasher.bytesWritten),
    sectorsErased: flasher.sectorsErased,
    bytesVerified: plan.image.length,
    retries: session.retries,
    resets: session.resets,
    elapsedMs: transport.clock.now() - started,
  };
}

/** Starts what the flash holds: by reset, or by Go where there are no reset lines. */
export async function startImage(
  session: BootloaderSession,
  transport: Transport,
  address: number,
): Promise<void> {
  if (transport.hasSignals) {
    await session.startFlash();
    return;
  }
  await session.persist('start the image', async () => {
    try {
      await session.link.go(address);
    } catch (error) {
      const unsure = error instanceof LinkFault && error.stage === 'address' && error.kind !== 'refused';
      // If the acknowledgement was lost or late, the image runs and no boot loader is left to tell the chip id.
      if (!unsure || (await session.link.inStep(session.chipId))) throw error;
    }
  });
}
