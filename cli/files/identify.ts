/** What a file turns out to be: a short key, and words for a message. */
export interface FileKind {
  readonly key:
    | 'empty'
    | 'tflite'
    | 'npy'
    | 'npz'
    | 'zip'
    | 'png'
    | 'jpeg'
    | 'gif'
    | 'bmp'
    | 'pnm'
    | 'wav'
    | 'pickle'
    | 'hdf5'
    | 'gzip'
    | 'xz'
    | 'utf16'
    | 'elf'
    | 'pdf'
    | 'json'
    | 'html'
    | 'script'
    | 'unknown';
  readonly text: string;
}

interface Signature extends FileKind {
  readonly offset?: number;
  readonly magic: readonly number[] | string;
}

/** First bytes by which common formats are told apart (from the formats' own specifications). */
const signatures: readonly Signature[] = [
  { key: 'tflite', text: 'a TFLite model', offset: 4, magic: 'TFL3' },
  { key: 'npy', text: 'a NumPy array (.npy)', magic: [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59] },
  { key: 'zip', text: 'a zip archive', magic: [0x50, 0x4b, 0x03, 0x04] },
  { key: 'zip', text: 'an empty zip archive', magic: [0x50, 0x4b, 0x05, 0x06] },
  { key: 'png', text: 'a PNG image', magic: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] },
  { key: 'jpeg', text: 'a JPEG image', magic: [0xff, 0xd8, 0xff] },
  { key: 'gif', text: 'a GIF image', magic: 'GIF8' },
  { key: 'bmp', text: 'a BMP image', magic: 'BM' },
  { key: 'wav', text: 'a WAV sound', offset: 8, magic: 'WAVE' },
  { key: 'hdf5', text: 'an HDF5 file (as Keras writes)', magic: [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a] },
  { key: 'gzip', text: 'a gzip archive', magic: [0x1f, 0x8b] },
  { key: 'xz', text: 'an xz archive', magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a] },
  { key: 'elf', text: 'an ELF program', magic: [0x7f, 0x45, 0x4c, 0x46] },
  { key: 'pdf', text: 'a PDF document', magic: '%PDF' },
  { key: 'script', text: 'a script', magic: '#!' },
  { key: 'utf16', text: 'UTF-16 text', magic: [0xff, 0xfe] },
  { key: 'utf16', text: 'UTF-16 text', magic: [0xfe, 0xff] },
  { key: 'html', text: 'an HTML page', magic: '<!DOCTYPE' },
  { key: 'html', text: 'an HTML page', magic: '<html' },
];

function matches(bytes: Uint8Array, { offset = 0, magic }: Signature): boolean {
  const codes = typeof magic === 'string' ? [...magic].map((c) => c.charCodeAt(0)) : magic;
  return codes.every((code, i) => bytes[offset + i] === code);
}

/** A pickle of protocol 2 or later begins with the opcode PROTO and its number, and ends with STOP. */
function isPickle(bytes: Uint8Array): boolean {
  const version = bytes[1] ?? 0;
  return bytes[0] === 0x80 && version >= 2 && version <= 5 && bytes[bytes.length - 1] === 0x2e;
}

function isJson(bytes: Uint8Array): boolean {
  const head = new TextDecoder().decode(bytes.subarray(0, 64)).trimStart();
  return /^\{\s*("|\})/.test(head) || /^\[\s*[[{"\d\]-]/.test(head);
}

/** Says what `bytes` are, by their content alone. */
export function identify(bytes: Uint8Array): FileKind {
  if (bytes.length === 0) return { key: 'empty', text: 'empty' };
  const found = signatures.find((signature) => matches(bytes, signature));
  if (found?.key === 'zip') return identifyZip(bytes, found);
  if (found) return { key: found.key, text: found.text };
  if (isPickle(bytes)) return { key: 'pickle', text: 'a Python pickle' };
  if (isJson(bytes)) return { key: 'json', text: 'JSON text' };
  if (bytes[0] === 0x50 && /^P[2356]\s/.test(String.fromCharCode(...bytes.subarray(0, 3)))) {
    return { key: 'pnm', text: 'a PGM or PPM image' };
  }
  return { key: 'unknown', text: 'of unknown content' };
}

/** The first entry's name tells an .npz and a PyTorch file from other zip archives. */
function identifyZip(bytes: Uint8Array, fallback: FileKind): FileKind {
  const length = (bytes[26] ?? 0) | ((bytes[27] ?? 0) << 8);
  const name = new TextDecoder().decode(bytes.subarray(30, 30 + Math.min(length, 256)));
  if (name.endsWith('.npy')) return { key: 'npz', text: 'a NumPy archive (.npz)' };
  if (name.endsWith('.pkl') || name.includes('/data/')) {
    return { key: 'zip', text: 'a zip archive (as torch.save writes)' };
  }
  return { key: fallback.key, text: fallback.text };
}
