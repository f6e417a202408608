import { Cleanup, type ServeOptions, serveBoard, Wire } from '../serve-board.ts';
import { flashFileFor, type VirtualBoard } from '../start-virtual-stm32.ts';
import { EspBoard, type MakeProcessor, noProcessor } from './esp-board.ts';
import type { VirtualEspChip } from './esp-profile.ts';
import type { EspSecurity } from './loader-server.ts';
import { NorFlash } from './nor-flash.ts';

export interface VirtualEspOptions extends ServeOptions {
  readonly chip: VirtualEspChip;
  /** A power of two from 1 to 32 MiB. */
  readonly flashBytes: number;
  /** Keeps the flash between runs; made when missing. Without it the flash is thrown away at the end. */
  readonly flashFile?: string;
  /** What the board starts with, `flash` when not given; a pty or plain socket has no modem lines to change that. */
  readonly boot?: 'bootloader' | 'flash';
  /** What runs the program in flash; nothing does when not given. */
  readonly processor?: MakeProcessor;
  readonly security?: EspSecurity;
  /** Told what a person with the board on the desk would see. */
  readonly onNote?: (text: string) => void;
}

/** Long enough for pyserial, which waits 50 ms after each change of a line through RFC 2217. */
const ENABLE_DELAY_MS = 200;

async function assemble(options: VirtualEspOptions, cleanup: Cleanup): Promise<VirtualBoard> {
  const flashFile = flashFileFor(options.flashFile, cleanup);
  const flash = new NorFlash(options.flashBytes, flashFile);
  cleanup.add(() => flash.close());
  const wire = new Wire();
  const onOutput = (bytes: Uint8Array) => wire.send(bytes);
  let lastNote: string | undefined;
  const onNote = (text: string) => {
    lastNote = text;
    options.onNote?.(text);
  };
  const processor = (options.processor ?? noProcessor)({ onOutput, onNote });
  const { chip, security } = options;
  const board = new EspBoard({
    chip,
    flash,
    processor,
    security,
    enableDelayMs: ENABLE_DELAY_MS,
    onOutput,
    onReset: () => {
      lastNote = undefined;
    },
  });
  cleanup.add(() => board.close());
  const ports = await serveBoard(board, wire, options, cleanup);
  board.reset(options.boot ?? 'flash');
  const close = () => cleanup.run();
  options.signal?.addEventListener('abort', close, { once: true });
  return { ports, flashFile, lastNote: () => lastNote, close };
}

/**
 * Starts a virtual ESP32 board: the loader in its ROM and Espressif's flasher stub over a flash in a file, behind
 * RFC 2217, plain TCP and, on request, a pty. What the flash holds is run by `processor`.
 * Errors: E_PTY, E_FLASH_FILE, E_LISTEN.
 */
export async function startVirtualEsp(options: VirtualEspOptions): Promise<VirtualBoard> {
  options.signal?.throwIfAborted();
  const cleanup = new Cleanup();
  try {
    return await assemble(options, cleanup);
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}
