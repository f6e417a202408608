// Flashes 512 KiB through damaged links, far more often than the test run does: the figures of docs/devices.md.
// `node scripts/flash-faults.mjs [TIMES]`: TIMES times the test run's cases, once when not given.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from './setup.mjs';

const times = process.argv[2] ?? '1';
const { status } = spawnSync(
  process.execPath,
  [
    join(root, 'node_modules', 'vitest', 'vitest.mjs'),
    'run',
    'tests/device/stm32-faults.test.ts',
    '-t',
    'damages bytes at random',
    '--disable-console-intercept',
  ],
  { cwd: root, stdio: 'inherit', env: { ...process.env, TINYML_SOAK: times, TINYML_IMAGE_KIB: '512' } },
);
process.exit(status ?? 1);
