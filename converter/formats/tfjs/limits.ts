/** Upper bounds on what a file may ask for; far above any network that fits a microcontroller. */

export const mostWeightBytes = 512 * 2 ** 20;
export const mostWeights = 100_000;
export const mostAxes = 8;
export const mostElements = 2 ** 26;
/** Layers or graph nodes. */
export const mostNodes = 50_000;
export const mostMadeNodes = 200_000;
export const mostNesting = 16;
/** Bytes that weights in the converter's own layout may take together. */
export const mostDerivedBytes = 512 * 2 ** 20;
