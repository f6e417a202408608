const LONGEST_RUN = 254;

/** Consistent overhead byte stuffing (Cheshire and Baker, 1997): the same bytes without a zero among them. */
export function cobsEncode(bytes: Uint8Array): Uint8Array {
  const encoded = new Uint8Array(bytes.length + Math.floor(bytes.length / LONGEST_RUN) + 1);
  let codeAt = 0;
  let end = 1;
  for (const [i, byte] of bytes.entries()) {
    if (byte !== 0) encoded[end++] = byte;
    const full = end - codeAt === LONGEST_RUN + 1;
    if (byte === 0 || (full && i + 1 < bytes.length)) {
      encoded[codeAt] = end - codeAt;
      codeAt = end++;
    }
  }
  encoded[codeAt] = end - codeAt;
  return encoded.subarray(0, end);
}

/** Undefined when the bytes are no encoding. */
export function cobsDecode(encoded: Uint8Array): Uint8Array | undefined {
  const bytes = new Uint8Array(encoded.length);
  let length = 0;
  for (let at = 0; at < encoded.length; ) {
    const code = encoded[at]!;
    const next = at + code;
    if (code === 0 || next > encoded.length) return undefined;
    for (let i = at + 1; i < next; i++) {
      if (encoded[i] === 0) return undefined;
      bytes[length++] = encoded[i]!;
    }
    if (code <= LONGEST_RUN && next < encoded.length) bytes[length++] = 0;
    at = next;
  }
  return bytes.subarray(0, length);
}
