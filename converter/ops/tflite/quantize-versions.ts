/** Versions of QUANTIZE by the type that it makes. */
export const quantizeVersions = { int8: 1, uint8: 1, int16: 2 } as const;
