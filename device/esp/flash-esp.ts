import type { Transport } from '../transport/transport.ts';
import type { EspChip } from './chips.ts';
import { flashEncrypted, secureBoot } from './errors.ts';
import { Flasher, type FlashProgress } from './flasher.ts';
import { checkSize, type FlashPart, planParts } from './image-plan.ts';
import { type Loader, type LoaderOptions, openLoader } from './open-loader.ts';
import { restartProgram } from './restart-program.ts';
import { RunWriter } from './run-writer.ts';
import type { LoaderTimeouts } from './timeouts.ts';

export type { FlashProgress } from './flasher.ts';
export type { FlashPart } from './image-plan.ts';

export interface FlashEspOptions extends LoaderOptions {
  readonly chip: EspChip;
  /** What the board description says; the flash itself is asked too. */
  readonly flashBytes: number;
  /** Whether the program is started afterwards. Yes by default. */
  readonly start?: boolean;
  /** Whether what is long enough to gain by it is sent compressed. Yes by default. */
  readonly compress?: boolean;
  /** Write also what is there already. */
  readonly all?: boolean;
  /** Write although the chip has secure boot or encrypts its flash. */
  readonly force?: boolean;
  readonly onProgress?: (progress: FlashProgress) => void;
}

export interface FlashEspReport {
  readonly chip: EspChip;
  readonly flashBytes: number;
  readonly baud: number;
  readonly stub: boolean;
  readonly imageBytes: number;
  readonly bytesWritten: number;
  /** Bytes that were there already and were left alone. */
  readonly bytesKept: number;
  /** Bytes that went over the line as content, compressed or not, repetitions included. */
  readonly bytesSent: number;
  /** Always all of them, by the MD5 that the chip computes over its flash. */
  readonly bytesVerified: number;
  readonly retries: number;
  readonly restarts: number;
  /** Whether the program was started; without reset lines it may be the user's turn. */
  readonly started: boolean;
  readonly elapsedMs: number;
}

/** E_FLASH_ENCRYPTED, E_SECURE_BOOT. */
export function checkSecurity({ security }: Loader, port: string, force: boolean): void {
  if (force) return;
  if (security.encryptsFlash) throw flashEncrypted(port);
  if (security.secureBoot) throw secureBoot(port);
}

/** Time for the whole job: some times what the transfer takes at the rate that every chip begins with. */
function jobMs(bytes: number, timeouts: LoaderTimeouts): number {
  const transferMs = (bytes * 10 * 1000) / 115_200;
  const eraseMs = (bytes / (1024 * 1024)) * timeouts.erasePerMibMs;
  return timeouts.totalMs + timeouts.totalTransfers * transferMs + 2 * eraseMs;
}

/**
 * Writes images to the flash of an ESP32-family chip through the loader in its ROM and proves by MD5 that they are
 * there. Sectors that hold the right bytes already stay as they are, so a run that was cut short is taken up where it
 * stopped. From the first erased sector until all else is right the sector that the ROM looks at first is missing: a
 * partial image does not start.
 * Errors, before anything is erased: E_IMAGE, E_IMAGE_TOO_LARGE, E_BOARD_SILENT, E_WRONG_CHIP, E_SECURE_DOWNLOAD,
 * E_SECURE_BOOT, E_FLASH_ENCRYPTED; later: E_DEVICE_LOST, E_FLASH_LINK, E_FLASH_REFUSED, E_VERIFY_FAILED, or the
 * signal's reason.
 */
export async function flashEsp(
  transport: Transport,
  parts: readonly FlashPart[],
  options: FlashEspOptions,
): Promise<FlashEspReport> {
  const progress = options.onProgress ?? (() => {});
  const plan = planParts(parts, options.chip, options.flashBytes);
  const started = transport.clock.now();
  progress({ phase: 'connect', done: 0, total: 1 });
  const loader = await openLoader(transport, options);
  const { session, commands } = loader;
  checkSecurity(loader, transport.name, options.force ?? false);
  const flashBytes = loader.flash.bytes ?? options.flashBytes;
  checkSize(plan.parts, flashBytes);
  progress({ phase: 'connect', done: 1, total: 1 });

  session.deadline = transport.clock.now() + jobMs(plan.bytes, loader.timeouts);
  const writer = new RunWriter(session, commands, options.compress ?? true);
  const flasher = new Flasher(session, commands, writer, plan, progress);
  await flasher.run(options.all ?? false);
  const { baud, isStub } = session.link;
  const runs = (options.start ?? true) && (await restartProgram(session, loader.chip));
  return {
    chip: loader.chip,
    flashBytes,
    baud,
    stub: isStub,
    imageBytes: plan.bytes,
    bytesWritten: flasher.bytesWritten,
    bytesKept: Math.max(0, plan.bytes - flasher.bytesWritten),
    bytesSent: writer.bytesSent,
    bytesVerified: plan.bytes,
    retries: session.retries,
    restarts: session.restarts,
    started: runs,
    elapsedMs: transport.clock.now() - started,
  };
}
