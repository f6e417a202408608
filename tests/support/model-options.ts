import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const templateFolder = join(import.meta.dirname, '..', '..', 'firmware-templates');
const kernelFolder = join(templateFolder, 'kernels');

/** The kernel library's headers by file name. */
export const kernelTexts: ReadonlyMap<string, string> = new Map(
  readdirSync(kernelFolder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.h'))
    .map((path) => [basename(path), readFileSync(join(kernelFolder, path), 'utf8')]),
);

/** A C file of ours by its path under `firmware-templates/`. */
export function templateText(path: string): string {
  return readFileSync(join(templateFolder, path), 'utf8');
}

/** What the banner of generated files says. */
export const provenance = {
  toolVersion: '0.0.0',
  command: 'tinyml test',
  modelHash: '0123456789abcdef'.repeat(4),
};
