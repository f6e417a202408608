/** What one check found. `needed` is false for what only some uses want. */
export interface Check {
  readonly name: string;
  readonly needed: boolean;
  readonly ok: boolean;
  /** Version, path, or what is wrong. */
  readonly found: string;
  /** Debian packages that mend it. */
  readonly packages: readonly string[];
  /** The command or action that mends it; empty when nothing is to be done. */
  readonly fix: string;
}

/** A check that found nothing to mend. */
export function fine(name: string, found: string): Check {
  return { name, needed: false, ok: true, found, packages: [], fix: '' };
}

/** Something that some uses suffer from. */
export function trouble(name: string, found: string, fix: string, needed = false): Check {
  return { name, needed, ok: false, found, packages: [], fix };
}
