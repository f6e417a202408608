import { externalDataOutside, externalDataRange, externalDataUnavailable } from '../errors.ts';

/**
 * Reads `length` bytes at `offset` of the file `location`, a relative path below the model's folder. Given by the
 * caller, who confines it to that folder also against links; the text of the path is checked before.
 */
export type ReadExternal = (location: string, offset: number, length: number) => Uint8Array;

/** The external_data entries of one tensor: key to value. */
export type ExternalEntries = ReadonlyMap<string, string>;

const longestLocation = 1024;

/** Why a location could name a file that is not below the model's folder, or undefined when it cannot. */
export function locationFault(location: string): string | undefined {
  if (location === '') return 'it is empty';
  if (location.length > longestLocation) return `it has more than ${longestLocation} characters`;
  if (/[\p{Cc}]/u.test(location)) return 'it has control characters';
  if (location.includes('\\')) return 'it has a backslash';
  if (location.startsWith('/') || location.startsWith('~')) return 'it is not relative';
  if (location.includes(':')) return 'it names a drive, a stream or a URL';
  const parts = location.split('/');
  if (parts.includes('..')) return 'it goes up by ".."';
  if (/^\.?$/.test(parts.at(-1)!)) return 'it names a folder, not a file';
  return undefined;
}

/** A decimal number of a file offset, or undefined. */
function parseOffset(text: string): number | undefined {
  if (!/^[0-9]{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** The bytes of an external tensor that needs `expected` of them. */
export function readExternalData(
  tensor: string,
  entries: ExternalEntries,
  expected: number,
  readExternal: ReadExternal | undefined,
): Uint8Array {
  const location = entries.get('location') ?? '';
  const fault = locationFault(location);
  if (fault) throw externalDataOutside(tensor, location, fault);
  const offset = parseOffset(entries.get('offset') ?? '0');
  const length = parseOffset(entries.get('length') ?? String(expected));
  if (offset === undefined || length === undefined) {
    throw externalDataRange(tensor, location, 'its offset or length is not a number');
  }
  if (length !== expected) {
    throw externalDataRange(tensor, location, `it gives ${length} bytes, the shape needs ${expected}`);
  }
  if (!readExternal) throw externalDataUnavailable(tensor, location);
  const bytes = readExternal(location, offset, length);
  if (bytes.byteLength !== length) {
    throw externalDataRange(
      tensor,
      location,
      `the file ends early: ${bytes.byteLength} of ${length} bytes at offset ${offset}`,
    );
  }
  // A plain view: slices of a Node.js Buffer would share memory.
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
