import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytesOf } from '../../converter/ir/tensor.ts';
import type { TensorData } from '../../converter/ir/types.ts';
import { type JoinedJob, joinModels } from './joined-models.ts';

export { kernelTexts, provenance, templateText } from './model-options.ts';

/** Whether this machine can compile C at all. */
export function hasHostCompiler(): boolean {
  return spawnSync('gcc', ['--version']).status === 0;
}

export const warningFlags = ['-std=c99', '-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Werror'];
const sanitizers = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];

/** One graph with the inputs to run it on. */
export interface HostJob extends JoinedJob {
  readonly cases: readonly (readonly TensorData[])[];
}

/**
 * Reads the inputs of each case of each model in turn from stdin; writes the bytes of every layer's result, layer by
 * layer, and then those of the outputs after a whole inference on the same input.
 */
const mainProgram = `
static int load(const struct tml_model *m)
{
	for (int i = 0; i < m->input_count; i++)
		if (fread(m->inputs[i].data, 1, m->inputs[i].bytes, stdin) != m->inputs[i].bytes)
			return -1;
	return 0;
}

static void run(const struct tml_model *m)
{
	static uint8_t kept[8][1 << 17];
	for (int i = 0; i < m->input_count; i++)
		memcpy(kept[i], m->inputs[i].data, m->inputs[i].bytes);
	for (int i = 0; i < m->layer_count; i++) {
		m->layers[i].run();
		fwrite(m->layers[i].output, 1, m->layers[i].output_bytes, stdout);
	}
	for (int i = 0; i < m->input_count; i++)
		memcpy(m->inputs[i].data, kept[i], m->inputs[i].bytes);
	m->invoke();
	for (int i = 0; i < m->output_count; i++)
		fwrite(m->outputs[i].data, 1, m->outputs[i].bytes, stdout);
}

int main(void)
{
	for (unsigned k = 0; k < sizeof models / sizeof *models; k++)
		for (int n = 0; n < cases[k]; n++) {
			if (models[k]->init() != TML_OK || load(models[k]) != 0)
				return 1;
			run(models[k]);
		}
	return 0;
}
`;

export interface HostResult {
  /** For each case: the bytes of every layer's result, and those of the outputs. */
  readonly cases: readonly { readonly layers: readonly Uint8Array[]; readonly outputs: Uint8Array }[];
}

function mainText(jobs: readonly HostJob[]): string {
  const names = jobs.map((_, i) => `p${i}_info`);
  return [
    '#include "tml_model.h"\n#include <stdio.h>\n#include <string.h>',
    ...names.map((name) => `extern const struct tml_model ${name};`),
    `static const struct tml_model *const models[] = {${names.map((name) => `&${name}`).join(', ')}};`,
    `static const int cases[] = {${jobs.map((job) => job.cases.length).join(', ')}};`,
    mainProgram,
  ].join('\n');
}

/** Models are joined into at most this many files, compiled side by side. */
const mostUnits = 2;

/** Compiles all jobs into one program; returns the bytes of each job's layers. */
function compile(folder: string, jobs: readonly HostJob[]): readonly (readonly number[])[] {
  const { units, headers, models } = joinModels(jobs, mostUnits);
  for (const [name, text] of headers) writeFileSync(join(folder, name), text);
  for (const [i, text] of units.entries()) writeFileSync(join(folder, `unit${i}.c`), text);
  writeFileSync(join(folder, 'main.c'), mainText(jobs));
  const sources = [...units.map((_, i) => `unit${i}`), 'main'];
  const flags = [...warningFlags, ...sanitizers, '-O1', '-c'].join(' ');
  const jobList = sources.map((name) => `gcc ${flags} ${name}.c & pids="$pids $!";`).join(' ');
  const script = `pids=""; ${jobList} for pid in $pids; do wait $pid || exit 1; done`;
  execFileSync('sh', ['-c', script], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
  execFileSync('gcc', [...sanitizers, ...sources.map((name) => `${name}.o`), '-lm', '-o', 'models'], {
    cwd: folder,
  });
  return models.map(({ layers }) => layers.map(({ outputBytes }) => outputBytes));
}

/**
 * Generates C for every job, compiles it with all warnings as errors under the address and undefined behaviour
 * sanitizers, and runs it. Throws when anything of that fails.
 */
export function runOnHost(jobs: readonly HostJob[]): HostResult[] {
  const folder = mkdtempSync(join(tmpdir(), 'tinyml-host-'));
  try {
    const offsets = compile(folder, jobs);
    const input = Buffer.concat(
      jobs.flatMap(({ cases }) => cases.flat().map((data) => Buffer.from(bytesOf(data)))),
    );
    const result = spawnSync(join(folder, 'models'), { input, maxBuffer: 1 << 28 });
    if (result.status !== 0)
      throw new Error(`the compiled models failed: ${result.stderr.toString().slice(0, 4000)}`);
    let at = 0;
    const take = (bytes: number) => {
      at += bytes;
      return new Uint8Array(result.stdout.subarray(at - bytes, at));
    };
    return jobs.map(({ graph, cases }, i) => ({
      cases: cases.map(() => {
        const layers = offsets[i]!.map(take);
        const last = graph.outputs.map((port) =>
          graph.nodes.findIndex((node) => node.outputs.includes(port.value)),
        );
        return { layers, outputs: take(last.reduce((sum, layer) => sum + offsets[i]![layer]!, 0)) };
      }),
    }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
