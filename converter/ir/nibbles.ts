/** Numbers from -8 to 7, two in a byte, the first in the low half; an odd last one stands alone (TFLite's int4). */
export function packNibbles(data: ArrayLike<number>): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(data.length / 2));
  for (let i = 0; i < data.length; i++) bytes[i >> 1]! |= (data[i]! & 15) << (4 * (i & 1));
  return bytes;
}

/** The first `count` numbers of packed bytes. */
export function unpackNibbles(bytes: Uint8Array, count: number): Int8Array {
  return Int8Array.from({ length: count }, (_, i) => {
    const half = (bytes[i >> 1]! >> (4 * (i & 1))) & 15;
    return half > 7 ? half - 16 : half;
  });
}
