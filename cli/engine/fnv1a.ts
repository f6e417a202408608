/** FNV-1a with 32 bits, as the benchmark firmware hashes layer outputs (docs/bench-protocol.md). */
export function fnv1a(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
