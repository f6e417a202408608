import { dirname, join } from 'node:path';
import { tensorOf } from '../../converter/ir/graph.ts';
import { byteCount, bytesOf, fromBytes } from '../../converter/ir/tensor.ts';
import type { Graph, TensorData } from '../../converter/ir/types.ts';
import type { Context } from '../context.ts';
import { readTemplate } from '../files/templates.ts';
import { temporaryFolder, writeTemporary } from '../files/temporary.ts';
import { toolFailed, toolMissing } from '../tools/errors.ts';
import { findFirstTool } from '../tools/find-tool.ts';
import { runTool, runToolOrFail } from '../tools/run-tool.ts';

const compilers = ['cc', 'gcc', 'clang'];
const compileSeconds = 120;
const runSeconds = 600;
const purpose = "compile the model's C on this machine";

type Files = ReadonlyMap<string, string | Uint8Array>;

function writeSources(folder: string, files: Files): string[] {
  const sources = [...files].filter(([name]) => /\.[ch]$/.test(name));
  for (const [name, content] of [...sources, ['tml_host.c', readTemplate('host/tml_host.c')] as const]) {
    writeTemporary(folder, name, content);
  }
  return [...sources.map(([name]) => name), 'tml_host.c'];
}

export function hasHostCompiler(): boolean {
  return findFirstTool(compilers) !== undefined;
}

/** Compiles generated C with this machine's own compiler; resolves to the program's path. */
export async function compileForHost(context: Context, files: Files): Promise<string> {
  const compiler = findFirstTool(compilers);
  if (compiler === undefined) throw toolMissing(compilers.join(' or '), purpose);
  const folder = temporaryFolder(context.lifetime, 'host');
  const names = writeSources(folder, files);
  const includes = new Set(names.filter((name) => name.endsWith('.h')).map((name) => `-I${dirname(name)}`));
  const units = names.filter((name) => name.endsWith('.c'));
  const args = ['-std=c99', '-O2', ...includes, ...units, '-lm', '-o', 'model'];
  context.output.detail(`${compiler} ${args.join(' ')}`);
  const run = { tool: compiler, args, purpose, timeoutSeconds: compileSeconds, cwd: folder };
  await runToolOrFail(run, context.lifetime);
  return join(folder, 'model');
}

/** Runs a program made by `compileForHost` on encoded samples; resolves to the outputs of each. */
export async function runOnHost(
  context: Context,
  program: string,
  graph: Graph,
  samples: readonly (readonly TensorData[])[],
): Promise<TensorData[][]> {
  const input = Buffer.concat(samples.flatMap((sample) => sample.map(bytesOf)));
  const types = graph.outputs.map((port) => tensorOf(graph, port.value).type);
  const size = types.reduce((sum, type) => sum + byteCount(type), 0);
  const run = { tool: program, args: [], purpose: 'run the model', timeoutSeconds: runSeconds };
  const result = await runTool({ ...run, input, outputLimit: size * samples.length + 1 }, context.lifetime);
  if (result.code !== 0 || result.stdout.length !== size * samples.length) {
    throw toolFailed(
      'the compiled model',
      `exit code ${result.code}, ${result.stdout.length} bytes of results`,
      [],
    );
  }
  return samples.map((_, n) => {
    let at = n * size;
    return types.map((type) => {
      const bytes = result.stdout.subarray(at, at + byteCount(type));
      at += byteCount(type);
      return fromBytes(type.dtype, bytes);
    });
  });
}
