import type { KernelOptions } from './choose-kernels.ts';

/** A memory of the board; the first is where a program's data are anyway, others need a section. */
export interface AotRegion {
  readonly bytes: number;
  /** Section of the linker script that is put there. */
  readonly section?: string;
}

export interface AotOptions extends KernelOptions {
  /** Stem of the files and prefix of the names; `model` when absent. */
  readonly name?: string;
  readonly toolVersion: string;
  /** The command line, for the banner. */
  readonly command: string;
  /** SHA-256 of model.tflite in hexadecimal. */
  readonly modelHash: string;
  /** `speed` specialises every kernel for its layer; `size` compiles each kernel once. */
  readonly optimize: 'speed' | 'size';
  /** The board's memories for data, the preferred one first; one of any size when absent. */
  readonly regions?: readonly AotRegion[];
  /** Texts of the kernel library's headers by file name. */
  readonly kernels: ReadonlyMap<string, string>;
}
