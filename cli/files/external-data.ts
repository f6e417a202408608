import { lstatSync, realpathSync, type Stats, statSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { TinymlError } from '../../common/tinyml-error.ts';
import { externalPathRefused } from './errors.ts';
import { readInputFile } from './input-file.ts';

const externalLimit = 268_435_456;

/** Why a location is refused before the file system is asked, or undefined. */
function refusalOf(location: string): string | undefined {
  if (location === '' || location.length > 1024) return 'the name is empty or too long';
  if (location.includes('\0')) return 'the name holds a NUL';
  if (/^([/\\]|[A-Za-z]:)/.test(location)) return 'the path is absolute';
  if (location.includes('\\')) return 'the path holds a backslash';
  const parts = location.split('/');
  if (parts.includes('..')) return "the path leads outside the model's folder";
  if (parts.at(-1) === '.' || parts.at(-1) === '') return 'the path names a folder';
  return undefined;
}

const sameFile = (a: Stats, b: Stats) => a.dev === b.dev && a.ino === b.ino;

/**
 * Opens external weights of a model for `importModel`. Only plain, singly linked files whose real path lies in the
 * real folder of the model; that is checked again after opening, on the file that was in fact opened.
 */
export function externalReader(
  modelPath: string,
): (location: string, offset: number, length: number | undefined) => Uint8Array {
  const folder = realpathSync(dirname(modelPath));
  const known = new Map<string, Uint8Array>();
  return (location, offset, length) => {
    const bytes = known.get(location) ?? readExternal(modelPath, folder, location);
    known.set(location, bytes);
    return bytes.subarray(offset, length === undefined ? undefined : offset + length);
  };
}

function readExternal(modelPath: string, folder: string, location: string): Uint8Array {
  const refuse = (reason: string) => externalPathRefused(modelPath, location, reason);
  const reason = refusalOf(location);
  if (reason !== undefined) throw refuse(reason);
  const path = join(folder, location);
  const inside = (real: string) => real.startsWith(folder.endsWith(sep) ? folder : folder + sep);
  try {
    if (!inside(realpathSync(path))) throw refuse("a link leads outside the model's folder");
    if (lstatSync(path).isSymbolicLink()) throw refuse('it is a symbolic link');
    const { bytes, stats } = readInputFile(path, {
      expected: 'weights',
      limit: externalLimit,
      noFollow: true,
    });
    if (stats.nlink > 1) throw refuse('it is a hard link to a file that has other names');
    const real = realpathSync(path);
    if (!inside(real) || !sameFile(statSync(real), stats)) throw refuse('it was exchanged while being read');
    return bytes;
  } catch (error) {
    if (error instanceof TinymlError) throw error;
    throw refuse(
      (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : 'it cannot be read',
    );
  }
}
