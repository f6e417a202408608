import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../package-info.ts';

const folder = () => join(packageRoot(), 'firmware-templates');

/** Text of one of our own C files, by its path under `firmware-templates/`. */
export function readTemplate(path: string): string {
  return readFileSync(join(folder(), path), 'utf8');
}

/** The kernel headers by file name, as the code generator wants them. */
export function readKernels(): ReadonlyMap<string, string> {
  const names = readdirSync(join(folder(), 'kernels')).filter((name) => name.endsWith('.h'));
  return new Map(names.sort().map((name) => [name, readTemplate(`kernels/${name}`)]));
}
