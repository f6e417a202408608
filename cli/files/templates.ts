import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { packageRoot } from '../package-info.ts';

const folder = () => join(packageRoot(), 'firmware-templates');

/** Text of one of our own C files, by its path under `firmware-templates/`. */
export function readTemplate(path: string): string {
  return readFileSync(join(folder(), path), 'utf8');
}

/** The kernel headers by file name, those for one kind of machine among them, as the code generator wants them. */
export function readKernels(): ReadonlyMap<string, string> {
  const paths = readdirSync(join(folder(), 'kernels'), { recursive: true, encoding: 'utf8' });
  const headers = paths.filter((path) => path.endsWith('.h')).sort();
  return new Map(headers.map((path) => [basename(path), readTemplate(join('kernels', path))]));
}
