import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

/** The folders of PATH without those that are relative (".", empty, "bin"): they name whatever folder is worked in. */
function searchedFolders(): string[] {
  return (process.env['PATH'] ?? '').split(delimiter).filter(isAbsolute);
}

/** PATH for programs that start others. */
export const safePath = (): string => searchedFolders().join(delimiter);

/**
 * Path of a program in PATH, or undefined; the one way in which programs are found. Relative entries of PATH are
 * skipped, so that a folder that was downloaded cannot bring its own compiler.
 */
export function findTool(name: string): string | undefined {
  const extensions = process.platform === 'win32' ? ['.exe', '.cmd', ''] : [''];
  for (const folder of searchedFolders()) {
    for (const extension of extensions) {
      const path = join(folder, name + extension);
      if (isProgram(path)) return path;
    }
  }
  return undefined;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The first of several programs that is there: `cc`, `gcc` and `clang` serve equally. */
export function findFirstTool(names: readonly string[]): string | undefined {
  for (const name of names) {
    const path = findTool(name);
    if (path !== undefined) return path;
  }
  return undefined;
}
