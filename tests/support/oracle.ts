import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Python with numpy, onnx, onnxruntime, ai-edge-litert, stm32loader; undefined where it is not set up. */
export function oraclePython(): string | undefined {
  const path = process.env['TINYML_ORACLE_PYTHON'] ?? join(tmpdir(), 'oracle-venv', 'bin', 'python');
  return existsSync(path) ? path : undefined;
}

/** Runs a Python program given as text; throws with its last words when it fails. */
export function runOracle(python: string, program: string, args: readonly string[] = []): string {
  const { status, stdout, stderr } = spawnSync(python, ['-', ...args], {
    input: program,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`oracle failed: ${stderr.slice(-2000)}`);
  return stdout;
}

/** The shared models and data beside the checkout; undefined where they are absent. */
export function sharedFolder(): string | undefined {
  const path = join(import.meta.dirname, '..', '..', '..', 'shared');
  return existsSync(join(path, 'models')) ? path : undefined;
}
