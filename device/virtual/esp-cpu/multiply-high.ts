/** Upper half of the product of two signed 32-bit numbers. */
export function multiplyHigh(a: number, b: number): number {
  const a0 = a & 0xffff;
  const a1 = a >> 16;
  const b0 = b & 0xffff;
  const b1 = b >> 16;
  const t = (Math.imul(a1, b0) + (Math.imul(a0, b0) >>> 16)) | 0;
  const w = (Math.imul(a0, b1) + (t & 0xffff)) | 0;
  return (Math.imul(a1, b1) + (t >> 16) + (w >> 16)) | 0;
}

/** The same of two numbers without sign, given and returned as their 32 bits. */
export function multiplyHighUnsigned(a: number, b: number): number {
  return (multiplyHigh(a, b) + (a < 0 ? b : 0) + (b < 0 ? a : 0)) | 0;
}

/** The same of a signed number and one without sign. */
export function multiplyHighMixed(a: number, b: number): number {
  return (multiplyHigh(a, b) + (b < 0 ? a : 0)) | 0;
}
