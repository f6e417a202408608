import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { fileMissing, fileTooBig, fileUnreadable, notAFile } from './errors.ts';
import { declareInput } from './guard.ts';

export interface InputFileOptions {
  /** What is expected, for messages: "an ONNX or TFLite model". */
  readonly expected: string;
  /** Most bytes that are read. */
  readonly limit: number;
  /** Refuse a symbolic link as the last part of the path. */
  readonly noFollow?: boolean;
  /** A file of this command's own, which it may replace: what it wrote before, or what it adds to. */
  readonly own?: boolean;
}

export interface InputFile {
  readonly bytes: Uint8Array;
  readonly stats: Stats;
}

/** What stands at a path, in words. */
export function describeStats(stats: Stats): string {
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFIFO()) return 'a named pipe';
  if (stats.isSocket()) return 'a socket';
  if (stats.isCharacterDevice() || stats.isBlockDevice()) return 'a device';
  return stats.isSymbolicLink() ? 'a symbolic link' : 'a plain file';
}

/**
 * The one function that opens a file named by a user or by a model. Plain files only: nothing it does can wait
 * on a pipe or a device, and no more than `limit` bytes are read whatever the file says of itself. What was read is not
 * written by this command: E_OUTPUT_IS_INPUT.
 */
export function readInputFile(path: string, options: InputFileOptions): InputFile {
  const fd = openInput(path, options);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw notAFile(path, describeStats(stats), options.expected);
    if (stats.size > options.limit) throw fileTooBig(path, stats.size, options.limit);
    if (options.own !== true) declareInput({ path, by: '' });
    return { bytes: readFully(fd, path, stats.size), stats };
  } finally {
    closeSync(fd);
  }
}

function openInput(path: string, { expected, noFollow }: InputFileOptions): number {
  // O_NONBLOCK: opening a pipe without a writer returns at once. Both flags are absent on Windows.
  const flags =
    constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (noFollow === true ? (constants.O_NOFOLLOW ?? 0) : 0);
  if (path.includes('\0')) throw fileMissing(path.replaceAll('\0', '\\0'), 'file');
  try {
    return openSync(path, flags);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw fileMissing(path, 'file');
    if (code === 'ELOOP' && noFollow === true) throw notAFile(path, 'a symbolic link', expected);
    if (code === 'ENXIO') throw notAFile(path, 'a socket or a device that is not there', expected);
    throw fileUnreadable(path, error);
  }
}

function readFully(fd: number, path: string, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let length = 0;
  try {
    while (length < size) {
      const count = readSync(fd, bytes, length, size - length, null);
      if (count === 0) break;
      length += count;
    }
  } catch (error) {
    throw fileUnreadable(path, error);
  }
  return bytes.subarray(0, length);
}
