import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

function tryMount(): boolean {
  const place = mkdtempSync(join(tmpdir(), 'tinyml-test-mount-'));
  const isMounted = spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', place]).status === 0;
  if (isMounted) spawnSync('umount', [place]);
  rmSync(place, { recursive: true });
  return isMounted;
}

/** Whether tests may mount file systems: as root, and not in every container. */
export const canMount = process.getuid?.() === 0 && tryMount();
