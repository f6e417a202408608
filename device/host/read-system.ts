import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What Linux tells about itself in /proc, /sys, /dev and /etc, below `root`: the machine's own tree when it is empty.
 * Whatever cannot be read is absent; nothing here throws.
 */
export interface SystemTree {
  readonly root: string;
  /** Names in a folder, sorted; none when it cannot be read. */
  names(folder: string): string[];
  /** The text of a file, without blanks around it. */
  text(path: string): string | undefined;
  /** What a symbolic link says. */
  link(path: string): string | undefined;
  /** The path, below the root, that links lead to in the end. */
  real(path: string): string | undefined;
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

export function systemTree(root = ''): SystemTree {
  const at = (path: string) => (root === '' ? path : join(root, path));
  return {
    root,
    names: (folder) => attempt(() => readdirSync(at(folder)).sort()) ?? [],
    text: (path) => attempt(() => readFileSync(at(path), 'utf8').trim()),
    link: (path) => attempt(() => readlinkSync(at(path))),
    real: (path) => {
      const real = attempt(() => realpathSync(at(path)));
      const base = root === '' ? '' : attempt(() => realpathSync(root));
      if (real === undefined || base === undefined || !real.startsWith(base)) return undefined;
      return real.slice(base.length);
    },
  };
}
