import { join } from 'node:path';
import { makeTemporaryFolder, removeQuietly } from '../../common/temporary-folder.ts';
import type { SectorRun } from '../sectors.ts';
import { EmulatedChip } from './emulated-chip.ts';
import { requireQemu } from './qemu-process.ts';
import { Cleanup, type ServeOptions, serveBoard, Wire } from './serve-board.ts';
import { Stm32Board } from './stm32-board.ts';

export interface VirtualStm32Options extends ServeOptions {
  /** Keeps the flash between runs; made when missing. Without it the flash is thrown away at the end. */
  readonly flashFile?: string;
  readonly flashBytes: number;
  readonly sramBytes: number;
  /** What the boot loader answers to Get ID. */
  readonly chipId: number;
  readonly sectors?: readonly SectorRun[];
  /** Which erase command its boot loader has: the extended one when not given. */
  readonly erase?: 'extended' | 'plain';
  /** Absolute path of the QEMU program, and its name for the machine with this chip. */
  readonly qemuBinary: string;
  readonly qemuMachine: string;
  /** Path of setpriv, where there is one, by which QEMU ends with this process whatever happens. */
  readonly setpriv?: string | undefined;
  /** What the board starts with, `flash` when not given; a pty has no modem lines to change that. */
  readonly boot?: 'bootloader' | 'flash';
  /** Given the lines of QEMU's log of executed code, which makes it many times slower. */
  readonly onTrace?: (line: string) => void;
  /** Told what a person with the board on the desk would see, such as a lock-up. */
  readonly onNote?: (text: string) => void;
}

export interface VirtualBoard {
  /** `rfc2217://...` first, then `tcp://...`, then the pty if there is one: all the same wire. */
  readonly ports: readonly string[];
  readonly flashFile: string;
  /** Why nothing runs since the last reset, as a person with the board on the desk would see it; undefined when all is well. */
  lastNote(): string | undefined;
  /** Ends everything, QEMU too; may be called twice. */
  close(): Promise<void>;
}

/** The file that keeps the flash: the one given, or one that `cleanup` removes. */
export function flashFileFor(given: string | undefined, cleanup: Cleanup): string {
  if (given !== undefined) return given;
  const folder = makeTemporaryFolder('board');
  cleanup.add(() => removeQuietly(folder));
  return join(folder, 'flash.bin');
}

/**
 * Starts an emulated STM32 board: its USART boot loader (AN3155) over a flash in a file, and QEMU for what the flash
 * holds, behind RFC 2217, plain TCP and, on request, a pty.
 * Errors: E_QEMU_MISSING, E_PTY, E_FLASH_FILE, E_LISTEN.
 */
export async function startVirtualStm32(options: VirtualStm32Options): Promise<VirtualBoard> {
  options.signal?.throwIfAborted();
  const qemuBinary = requireQemu(options.qemuBinary);
  const cleanup = new Cleanup();
  try {
    return await assemble(options, qemuBinary, cleanup);
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}

async function assemble(
  options: VirtualStm32Options,
  qemuBinary: string,
  cleanup: Cleanup,
): Promise<VirtualBoard> {
  const flashFile = flashFileFor(options.flashFile, cleanup);
  const chip = new EmulatedChip({ ...options, flashFile });
  cleanup.add(() => chip.close());
  const wire = new Wire();
  const board = new Stm32Board({
    chip,
    chipId: options.chipId,
    ...(options.erase ? { erase: options.erase } : {}),
    flashFile,
    qemuBinary,
    qemuMachine: options.qemuMachine,
    setpriv: options.setpriv,
    onOutput: (bytes) => wire.send(bytes),
    onTrace: options.onTrace,
    onNote: options.onNote ?? (() => {}),
  });
  cleanup.add(() => board.close());
  const ports = await serveBoard(board, wire, options, cleanup);
  board.reset(options.boot ?? 'flash');
  const close = () => cleanup.run();
  options.signal?.addEventListener('abort', close, { once: true });
  return { ports, flashFile, lastNote: () => board.lastNote, close };
}
