/** Seed of all generated problems; TINYML_SEED names another one. */
export const seed = Number(process.env['TINYML_SEED'] ?? 20261124) >>> 0;

/** How many times the usual number of problems to make, for a long search; TINYML_ROUNDS names it. */
export const rounds = Math.max(1, Number(process.env['TINYML_ROUNDS'] ?? 1) | 0);
