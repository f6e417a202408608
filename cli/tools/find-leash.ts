import { spawnSync } from 'node:child_process';
import { findTool } from './find-tool.ts';

let known: string | undefined;
let asked = false;

/**
 * Path of a setpriv that can have the kernel end a child with its parent (util-linux 2.33; that of BusyBox cannot), or
 * undefined: only Linux has such a thing.
 */
export function findLeash(): string | undefined {
  if (asked) return known;
  asked = true;
  const path = process.platform === 'linux' ? findTool('setpriv') : undefined;
  if (path === undefined) return undefined;
  const { stdout } = spawnSync(path, ['--help'], { encoding: 'utf8', timeout: 5_000 });
  known = stdout?.includes('--pdeathsig') ? path : undefined;
  return known;
}
