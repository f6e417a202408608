/** Brings dist/ up to date. Returns whether anything was compiled. */
export function build(): boolean;
