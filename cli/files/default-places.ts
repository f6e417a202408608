import { basename, dirname, extname, normalize, resolve } from 'node:path';
import { below } from './final-path.ts';

/**
 * The name under which something made of a file goes to the working folder, where nobody says where: the file's own
 * without folder and ending. Nothing goes by itself where an input lies.
 */
export function nameAfter(path: string): string {
  const name = basename(path);
  return name.slice(0, name.length - extname(name).length);
}

/**
 * The place beside an output of what belongs to it: `best.search.jsonl` of `best`. What belongs to the working folder or
 * one around it stands in the working folder.
 */
export function placeBeside(output: string, ending: string): string {
  const absolute = resolve(output);
  const here = process.cwd();
  if (absolute === here || below(absolute, here) !== undefined) return `${basename(here)}${ending}`;
  const place = normalize(output);
  return `${dirname(place) === '.' ? '' : `${dirname(place)}/`}${basename(place)}${ending}`.replace(
    /^\/\//,
    '/',
  );
}
