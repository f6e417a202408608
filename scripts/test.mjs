// Sets up and runs the tests; the last line is `N passed, N failed`.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root, setUp } from './setup.mjs';

await setUp();
const folder = mkdtempSync(join(tmpdir(), 'tinyml-results-'));
const results = join(folder, 'results.json');
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const args = [
  vitest,
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile=${results}`,
  ...process.argv.slice(2),
];
const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });

/** Tests that ran, and what failed: tests, and files that could not even be loaded. */
function counts() {
  try {
    const { numPassedTests, numFailedTests, testResults, numPendingTests } = JSON.parse(
      readFileSync(results, 'utf8'),
    );
    const broken = testResults.filter(
      (file) => file.status === 'failed' && file.assertionResults.length === 0,
    ).length;
    return { passed: numPassedTests, failed: numFailedTests + broken, skipped: numPendingTests };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const { passed, failed, skipped } = counts();
if (skipped > 0) console.log(`${skipped} skipped (their names say what they need)`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : (status ?? 1));
