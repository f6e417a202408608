interface Magic {
  readonly offset: number;
  readonly bytes: readonly number[];
  readonly kind: string;
}

const ascii = (text: string) => Array.from(text, (character) => character.charCodeAt(0));

/** First bytes of files that people pass by mistake. */
const magics: readonly Magic[] = [
  { offset: 4, bytes: ascii('TFL3'), kind: 'a TFLite model' },
  { offset: 0, bytes: [0x89, ...ascii('PNG')], kind: 'a PNG image' },
  { offset: 0, bytes: [0xff, 0xd8, 0xff], kind: 'a JPEG image' },
  { offset: 0, bytes: ascii('GIF8'), kind: 'a GIF image' },
  { offset: 0, bytes: ascii('RIFF'), kind: 'a RIFF file (WAV, AVI or WebP)' },
  {
    offset: 0,
    bytes: [...ascii('PK'), 3, 4],
    kind: 'a zip archive (PyTorch .pt, Keras .keras and NumPy .npz files are zip archives)',
  },
  { offset: 0, bytes: [...ascii('PK'), 5, 6], kind: 'an empty zip archive' },
  { offset: 0, bytes: [0x89, ...ascii('HDF')], kind: 'an HDF5 file (Keras .h5)' },
  { offset: 0, bytes: [0x93, ...ascii('NUMPY')], kind: 'a NumPy array' },
  { offset: 0, bytes: [0x1f, 0x8b], kind: 'a gzip file' },
  { offset: 0, bytes: [0x7f, ...ascii('ELF')], kind: 'an ELF program' },
  { offset: 0, bytes: ascii('%PDF'), kind: 'a PDF document' },
  { offset: 0, bytes: ascii('#!'), kind: 'a script' },
  { offset: 0, bytes: ascii('version https://git-lfs'), kind: 'a Git LFS pointer; run "git lfs pull"' },
  { offset: 0, bytes: [0xff, 0xfe], kind: 'UTF-16 text' },
  { offset: 0, bytes: [0xfe, 0xff], kind: 'UTF-16 text' },
  { offset: 0, bytes: [0xef, 0xbb, 0xbf], kind: 'UTF-8 text' },
];

/** Pickle protocols 2 to 5 start with their number and, from 4 on, a frame. */
function isPickle(bytes: Uint8Array): boolean {
  return bytes[0] === 0x80 && bytes[1]! >= 2 && bytes[1]! <= 5 && bytes.length > 2;
}

/** True when the start of the file is printable, as no ONNX file's is. */
function isText(bytes: Uint8Array): boolean {
  const start = bytes.subarray(0, 64);
  return start.every((byte) => (byte >= 0x20 && byte < 0x7f) || byte === 9 || byte === 10 || byte === 13);
}

/** What a file that is not ONNX really is, or undefined when its first bytes say nothing. */
export function foreignKind(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return 'an empty file';
  const magic = magics.find(({ offset, bytes: wanted }) =>
    wanted.every((byte, i) => bytes[offset + i] === byte),
  );
  if (magic) return magic.kind;
  if (isPickle(bytes)) return 'a Python pickle';
  if (!isText(bytes)) return undefined;
  return bytes[0] === 0x7b ? 'JSON text' : 'text';
}
