import { existsSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { finishFilling } from './fill-folder.ts';
import { finalPath, statsAt } from './final-path.ts';
import {
  isAbandoned,
  removeAbandonedBeside,
  removeQuietly,
  temporariesBeside,
  waitUntil,
} from './temporary.ts';

/** Puts a folder back that had stepped aside for a new one that never came. */
function bringBack(target: string): void {
  for (const retired of temporariesBeside(target).filter(({ stage }) => stage === 'old')) {
    if (!existsSync(target) && (retired.owner === 'ended' || !waitUntil(() => existsSync(target))))
      renameSync(retired.path, target);
    else if (isAbandoned(retired)) removeQuietly(retired.path);
  }
}

/** Before a folder is written: ends or undoes what killed runs had begun with it, and removes what they left. */
export function recoverFolder(target: string): void {
  bringBack(target);
  removeAbandonedBeside(target);
  if (statsAt(target)?.isDirectory()) finishFilling(target);
}

/** `out/firmware/BOARD/firmware.elf` lies deepest of what we write. */
const depth = 4;

/** Before a path is read: the same for the folders that it lies in. Whatever cannot be mended is left as it is. */
export function recoverPath(path: string): void {
  const places = [finalPath(path)];
  while (places.length < depth) places.push(dirname(places.at(-1)!));
  for (const place of new Set(places.reverse())) {
    try {
      if (!existsSync(place)) bringBack(place);
      if (statsAt(place)?.isDirectory()) finishFilling(place);
    } catch {
      // Reading tells what is wrong with it.
    }
  }
}
