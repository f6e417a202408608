import { readlinkSync, realpathSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';

/** As many symbolic links in a row as Linux follows. */
const linkLimit = 40;

/** What stands at a path, behind links; undefined where nothing is or nothing can be seen. */
export function statsAt(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function attempt(read: () => string): string | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/**
 * Where a write to `path` lands: links followed, also those that lead to nothing yet, and every spelling of a place the
 * same text. `a/../b` is `b` whether there is an `a` or not, as in all that we write.
 */
export function finalPath(path: string, links = linkLimit): string {
  const absolute = resolve(path);
  const real = attempt(() => realpathSync.native(absolute));
  if (real !== undefined) return real;
  const parent = dirname(absolute);
  if (parent === absolute) return absolute;
  const target = links > 0 ? attempt(() => readlinkSync(absolute)) : undefined;
  return target === undefined
    ? join(finalPath(parent, links), basename(absolute))
    : finalPath(resolve(parent, target), links - 1);
}

/** The same text for all names of one file, hard links and other cases of letters too; undefined where nothing stands. */
export function identityOf(path: string): string | undefined {
  return attempt(() => {
    // Some systems number files beyond what a double holds.
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  });
}

/** Whether two final paths name one file. */
export function isSameFile(a: string, b: string): boolean {
  const identity = a === b ? undefined : identityOf(a);
  return a === b || (identity !== undefined && identity === identityOf(b));
}

/** As `isSameFile`, also for what is not there yet: names that differ in case only are one name on many systems. */
export function mayBeSameFile(a: string, b: string): boolean {
  const plain = (path: string) => path.normalize('NFC').toLowerCase();
  return plain(a) === plain(b) || isSameFile(a, b);
}

/** The path below `folder`, with `/` between its parts; undefined for what does not lie in it. Both are final. */
export function below(folder: string, path: string): string | undefined {
  const prefix = folder.endsWith(sep) ? folder : folder + sep;
  return path.startsWith(prefix) ? path.slice(prefix.length).split(sep).join('/') : undefined;
}
