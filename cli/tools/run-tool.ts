import { type ChildProcess, spawn } from 'node:child_process';
import { isAbsolute } from 'node:path';
import type { Lifetime } from '../lifetime.ts';
import { toolFailed, toolMissing, toolOutOfSpace, toolTimeout } from './errors.ts';
import { findTool, safePath } from './find-tool.ts';

/** Most bytes kept of what a tool prints, unless more are asked for; the rest is dropped while the tool goes on. */
const usualOutputLimit = 4_194_304;

export interface ToolRun {
  /** Name of the program, which is looked for in PATH, or its absolute path; never a shell. */
  readonly tool: string;
  readonly args: readonly string[];
  /** What it is needed for, for the message when it is missing: "compile firmware". */
  readonly purpose: string;
  readonly timeoutSeconds: number;
  readonly input?: Uint8Array;
  readonly cwd?: string;
  /** Most bytes of stdout that are kept. */
  readonly outputLimit?: number;
}

export interface ToolResult {
  readonly code: number;
  readonly stdout: Uint8Array;
  readonly stderr: string;
}

/** What the system's ENOSPC and EDQUOT are in the words of the C library, which tools pass on. */
const noSpace = /No space left on device|Disk quota exceeded/;

/** Keeps the first `limit` bytes of a stream. */
function collect(stream: NodeJS.ReadableStream | null, limit: number): () => Uint8Array {
  const chunks: Buffer[] = [];
  let length = 0;
  stream?.on('data', (chunk: Buffer) => {
    if (length >= limit) return;
    chunks.push(chunk.subarray(0, limit - length));
    length += chunk.length;
  });
  return () => Buffer.concat(chunks);
}

/** Messages in English, since some are parsed; temporary files where they vanish with the working folder. */
function environmentOf({ cwd }: ToolRun): NodeJS.ProcessEnv {
  return { ...process.env, PATH: safePath(), LC_ALL: 'C', ...(cwd === undefined ? {} : { TMPDIR: cwd }) };
}

/** The system would look in relative folders of PATH as well. E_TOOL_MISSING. */
function pathOf({ tool, purpose }: ToolRun): string {
  const path = isAbsolute(tool) ? tool : findTool(tool);
  if (path === undefined) throw toolMissing(tool, purpose);
  return path;
}

/** Ends a child and whatever it started itself (it leads a process group of its own). */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(process.platform === 'win32' ? child.pid : -child.pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

/**
 * Runs a program to its end and returns what it said, whatever its exit code. Throws E_TOOL_MISSING, E_TOOL_TIMEOUT
 * and, when a signal ended it, E_TOOL_FAILED. It dies with the command.
 */
export async function runTool(run: ToolRun, lifetime: Lifetime): Promise<ToolResult> {
  lifetime.signal.throwIfAborted();
  const child = spawn(pathOf(run), run.args, {
    stdio: [run.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    detached: process.platform !== 'win32',
    env: environmentOf(run),
    ...(run.cwd === undefined ? {} : { cwd: run.cwd }),
  });
  const withdraw = lifetime.onEnd(() => killGroup(child));
  const stop = () => killGroup(child);
  lifetime.signal.addEventListener('abort', stop, { once: true });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    stop();
  }, run.timeoutSeconds * 1000);
  try {
    const stdout = collect(child.stdout, run.outputLimit ?? usualOutputLimit);
    const stderr = collect(child.stderr, usualOutputLimit);
    feed(child, run.input);
    const { code, signal } = await ending(child, run);
    if (late) throw toolTimeout(run.tool, run.timeoutSeconds);
    lifetime.signal.throwIfAborted();
    const text = new TextDecoder().decode(stderr());
    if (code !== 0 && noSpace.test(text)) throw toolOutOfSpace(run.tool, run.cwd);
    if (code === null) throw toolFailed(run.tool, `ended by ${signal}`, lastLines(text));
    return { code, stdout: stdout(), stderr: text };
  } finally {
    clearTimeout(timer);
    lifetime.signal.removeEventListener('abort', stop);
    withdraw();
  }
}

function feed(child: ChildProcess, input: Uint8Array | undefined): void {
  // A tool that stops reading early reports the reason itself.
  child.stdin?.on('error', () => {});
  if (input !== undefined) child.stdin?.end(input);
}

function ending(child: ChildProcess, run: ToolRun): Promise<{ code: number | null; signal: string | null }> {
  return new Promise((resolve, reject) => {
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') reject(toolMissing(run.tool, run.purpose));
      else reject(toolFailed(run.tool, error.code ?? error.message, []));
    });
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
}

/** The last lines of a text that say something. */
export function lastLines(text: string, count = 6): string[] {
  return text
    .split('\n')
    .map((line) => line.trim().slice(0, 300))
    .filter((line) => line !== '')
    .slice(-count);
}

/** Like runTool, but an exit code other than 0 is E_TOOL_FAILED with the tool's last words. */
export async function runToolOrFail(run: ToolRun, lifetime: Lifetime): Promise<ToolResult> {
  const result = await runTool(run, lifetime);
  if (result.code === 0) return result;
  const words = result.stderr.trim() === '' ? new TextDecoder().decode(result.stdout) : result.stderr;
  throw toolFailed(run.tool, `exit code ${result.code}`, lastLines(words));
}
