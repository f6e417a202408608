import { readFileSync, writeFileSync } from 'node:fs';
import { flashFileRefused, imageTooLarge } from '../errors.ts';
import { requireQemu } from './qemu-process.ts';
import { Rv32Board } from './rv32-board.ts';
import { Cleanup, type ServeOptions, serveBoard, Wire } from './serve-board.ts';
import { flashFileFor, type VirtualBoard } from './start-virtual-stm32.ts';

export interface VirtualRv32Options extends ServeOptions {
  /** Holds the image (firmware.bin) that the board starts with, and keeps what is loaded; may be missing. */
  readonly flashFile?: string;
  /** Where the image goes in the machine's memory, and how much may go there. */
  readonly flashAddress: number;
  readonly flashBytes: number;
  /** Absolute path of the QEMU program, and its name for the machine. */
  readonly qemuBinary: string;
  readonly qemuMachine: string;
  /** Path of setpriv, where there is one, by which QEMU ends with this process whatever happens. */
  readonly setpriv?: string | undefined;
  /** Told what a person with the board on the desk would see, such as that nothing runs. */
  readonly onNote?: (text: string) => void;
}

export interface VirtualRv32 extends VirtualBoard {
  /** Puts an image (firmware.bin) in place of the one that runs, and starts it. E_IMAGE_TOO_LARGE, E_FLASH_FILE. */
  load(image: Uint8Array): Promise<void>;
}

function writeImage(file: string, image: Uint8Array): void {
  try {
    writeFileSync(file, image);
    if (readFileSync(file).equals(image)) return;
  } catch (error) {
    throw flashFileRefused(file, error instanceof Error ? error.message : String(error));
  }
  throw flashFileRefused(file, 'it does not hold what was written');
}

/**
 * Starts an emulated RISC-V board: QEMU's `virt` machine, which begins at the start of its memory, where the image is
 * put. It has no boot loader: `load` replaces the image. Errors: E_QEMU_MISSING, E_PTY, E_LISTEN.
 */
export async function startVirtualRv32(options: VirtualRv32Options): Promise<VirtualRv32> {
  options.signal?.throwIfAborted();
  const binary = requireQemu(options.qemuBinary);
  const cleanup = new Cleanup();
  try {
    return await assemble(options, binary, cleanup);
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}

async function assemble(options: VirtualRv32Options, binary: string, cleanup: Cleanup): Promise<VirtualRv32> {
  const { qemuMachine: machine, flashAddress, flashBytes, setpriv } = options;
  const flashFile = flashFileFor(options.flashFile, cleanup);
  const wire = new Wire();
  const board = new Rv32Board({
    image: { binary, machine, extra: ['-bios', 'none'], flashFile, flashAddress, setpriv },
    onOutput: (bytes) => wire.send(bytes),
    onNote: options.onNote ?? (() => {}),
  });
  cleanup.add(() => board.halt());
  const ports = await serveBoard(board, wire, options, cleanup);
  board.reset();
  const load = async (image: Uint8Array) => {
    if (image.length > flashBytes) throw imageTooLarge(image.length, flashBytes);
    await board.halt();
    writeImage(flashFile, image);
    board.reset();
  };
  const close = () => cleanup.run();
  options.signal?.addEventListener('abort', close, { once: true });
  return { ports, flashFile, load, lastNote: () => board.lastNote, close };
}
