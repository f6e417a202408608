import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findTool } from '../../cli/tools/find-tool.ts';

/** Programs of others that these tests are run against; a test without its program is skipped and says so. */
const venv = join(tmpdir(), 'oracle-venv', 'bin', 'python');
export const python = process.env['TINYML_ORACLE_PYTHON'] ?? (existsSync(venv) ? venv : undefined);
export const qemu = findTool('qemu-system-arm');
export const socat = findTool('socat');
export const stm32flash = findTool('stm32flash');
export const gcc = findTool('gcc');
export const armGcc = findTool('arm-none-eabi-gcc');

export interface Finished {
  readonly code: number | null;
  /** Standard output and error together. */
  readonly text: string;
}

export function runProgram(program: string, args: readonly string[], timeoutMs = 60_000): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (text += String(bytes)));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, text }));
  });
}

/** Whether the oracle Python has a module. */
export async function pythonHas(module: string): Promise<boolean> {
  return python !== undefined && (await runProgram(python, ['-c', `import ${module}`])).code === 0;
}
