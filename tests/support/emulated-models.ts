import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { AotModel } from '../../converter/codegen/aot.ts';
import { constantArray } from '../../converter/codegen/c-text.ts';
import type { Machine as Core } from '../../converter/codegen/machine.ts';
import { bytesOf } from '../../converter/ir/tensor.ts';
import type { TensorData } from '../../converter/ir/types.ts';
import { rv32 } from '../kernels-rv32/machine.ts';
import { cortexM, type Machine } from './emulated-kernels.ts';
import { type JoinedJob, joinModels } from './joined-models.ts';

const run = promisify(execFile);
const library = join(import.meta.dirname, '..', '..', 'firmware-templates', 'port', 'common', 'tml_libc.c');

/** An emulated machine with the core whose kernels it runs. */
export interface ModelMachine {
  readonly core: Core;
  readonly machine: Machine;
}

export const modelMachines: readonly ModelMachine[] = [
  { core: 'cortex-m4f', machine: cortexM },
  { core: 'rv32imc', machine: rv32 },
];

export interface EmulatedJob extends JoinedJob {
  readonly cases: readonly (readonly TensorData[])[];
}

/** FNV-1a hashes of what one model computed from one case. */
export interface EmulatedOutcome {
  readonly layers: readonly number[];
  /** Of all outputs, one after the other, of a whole inference. */
  readonly outputs: number;
  /** False when bytes behind the arena changed. */
  readonly keptToItself: boolean;
}

export interface EmulatedModels {
  /** For each job, one outcome a case. */
  readonly outcomes: readonly (readonly EmulatedOutcome[])[];
  readonly models: readonly AotModel[];
}

/** What all models have as their arena, one at a time, and a guard behind it. */
const arenaBytes = 90_000;

const programHead = `
#include "tml_common.h"
#include "tml_model.h"
#include <stdint.h>
#include <string.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define GUARD 0x5A
#define GUARD_BYTES 64

int main(void);

struct job {
	const struct tml_model *model;
	const uint8_t *inputs;
	uint32_t cases, arena_bytes;
};

uint8_t tml_arena[${arenaBytes} + GUARD_BYTES] __attribute__((aligned(16)));
`;

const program = `
static void print_hex(uint32_t value)
{
	char text[10];
	for (int i = 0; i < 8; i++)
		text[i] = "0123456789abcdef"[(value >> (28 - 4 * i)) & 15u];
	text[8] = ' ';
	text[9] = 0;
	print(text);
}

static uint32_t fnv1a(uint32_t hash, const uint8_t *bytes, uint32_t count)
{
	while (count--)
		hash = (hash ^ *bytes++) * 0x01000193u;
	return hash;
}

static const uint8_t *load(const struct tml_model *m, const uint8_t *from)
{
	memset(tml_arena, GUARD, sizeof tml_arena);
	m->init();
	for (int i = 0; i < m->input_count; i++) {
		memcpy(m->inputs[i].data, from, m->inputs[i].bytes);
		from += m->inputs[i].bytes;
	}
	return from;
}

static uint32_t kept(uint32_t arena_bytes)
{
	for (uint32_t i = 0; i < GUARD_BYTES; i++)
		if (tml_arena[arena_bytes + i] != GUARD)
			return 0;
	return 1;
}

static void run_job(const struct job *job)
{
	const struct tml_model *m = job->model;
	const uint8_t *from = job->inputs;
	for (uint32_t n = 0; n < job->cases; n++) {
		uint32_t hash = 0x811c9dc5u;
		load(m, from);
		for (int i = 0; i < m->layer_count; i++) {
			m->layers[i].run();
			print_hex(fnv1a(0x811c9dc5u, m->layers[i].output, m->layers[i].output_bytes));
		}
		from = load(m, from);
		m->invoke();
		for (int i = 0; i < m->output_count; i++)
			hash = fnv1a(hash, m->outputs[i].data, m->outputs[i].bytes);
		print_hex(hash);
		print_hex(kept(job->arena_bytes));
	}
}

int main(void)
{
	for (unsigned i = 0; i < sizeof jobs / sizeof *jobs; i++)
		run_job(&jobs[i]);
	return 0;
}
`;

/** FNV-1a hash of arrays one after the other. */
export function hashOf(arrays: readonly TensorData[]): number {
  let hash = 0x811c9dc5;
  for (const data of arrays)
    for (const byte of bytesOf(data)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

const inputBytes = ({ cases }: EmulatedJob): Uint8Array =>
  Uint8Array.from(cases.flat().flatMap((data) => [...bytesOf(data)]));

function mainText(jobs: readonly EmulatedJob[], models: readonly AotModel[], machine: Machine): string {
  const rows = jobs.map(
    ({ cases }, i) => `\t{&p${i}_info, inputs_${i}, ${cases.length}, ${models[i]!.arenaBytes}},`,
  );
  return [
    programHead,
    ...jobs.flatMap((job, i) => [
      `extern const struct tml_model p${i}_info;`,
      constantArray(`inputs_${i}`, inputBytes(job)),
    ]),
    `static const struct job jobs[] = {\n${rows.join('\n')}\n};`,
    machine.program,
    program,
  ].join('\n');
}

/** The arena is one for all models of a program, which would not fit side by side. */
const ownArena = /^static uint8_t p\d+_tml_arena\[.*$/gm;
const shareArena = (unit: string) =>
  `#include <stdint.h>\nextern uint8_t tml_arena[];\n${unit.replace(ownArena, '').replace(/p\d+_tml_arena\b/g, 'tml_arena')}`;

/** Compiles and links the files of a folder side by side. */
async function compile(folder: string, names: readonly string[], machine: Machine): Promise<void> {
  const { compiler, flags, linkFlags } = machine;
  const options = { cwd: folder };
  await Promise.all(
    names.map((name) => run(compiler, [...flags, '-Werror', '-c', `${name}.c`, '-o', `${name}.o`], options)),
  );
  const cpu = flags.filter((flag) => /^-[mfI]/.test(flag));
  await Promise.all([
    run(compiler, [...cpu, '-O2', '-I.', '-c', 'main.c', '-o', 'main.o'], options),
    run(compiler, [...cpu, '-O2', '-c', library, '-o', 'library.o'], options),
  ]);
  const objects = [...names, 'main', 'library'].map((name) => `${name}.o`);
  const link = ['-nostdlib', '-O2', '-Wl,--no-warn-rwx-segments', '-T', 'image.ld', '-o', 'image.elf'];
  await run(compiler, [...cpu, ...linkFlags, ...link, ...objects, '-lgcc'], options);
}

async function numbersOf(folder: string, machine: Machine): Promise<number[]> {
  const options = ['-icount', 'shift=0', '-display', 'none', '-monitor', 'none', '-kernel', 'image.elf'];
  const { stdout, stderr } = await run(machine.emulator, [...machine.emulatorOptions, ...options], {
    cwd: folder,
    timeout: 120_000,
    maxBuffer: 1 << 28,
  });
  return (`${stdout}${stderr}`.match(/[0-9a-f]{8}(?= )/g) ?? []).map((text) => Number.parseInt(text, 16));
}

function outcomesOf(
  jobs: readonly EmulatedJob[],
  models: readonly AotModel[],
  numbers: readonly number[],
): EmulatedOutcome[][] {
  let at = 0;
  const outcomes = jobs.map(({ cases }, i) =>
    cases.map(() => {
      const layers = numbers.slice(at, at + models[i]!.layers.length);
      at += layers.length + 2;
      return { layers, outputs: numbers[at - 2]!, keptToItself: numbers[at - 1] === 1 };
    }),
  );
  if (at !== numbers.length)
    throw new Error(`the emulated models printed ${numbers.length} numbers and not ${at}`);
  return outcomes;
}

/** Compiled side by side. */
const unitsPerImage = 2;

async function runImage(
  jobs: readonly EmulatedJob[],
  { core, machine }: ModelMachine,
): Promise<EmulatedModels> {
  const folder = mkdtempSync(join(tmpdir(), 'tinyml-models-'));
  try {
    const withMachine = jobs.map((job) => ({ ...job, machine: core }));
    const { units, headers, models } = joinModels(withMachine, unitsPerImage);
    for (const [name, text] of headers) writeFileSync(join(folder, name), text);
    for (const [i, text] of units.entries()) writeFileSync(join(folder, `unit${i}.c`), shareArena(text));
    writeFileSync(join(folder, 'main.c'), mainText(jobs, models, machine));
    writeFileSync(join(folder, 'image.ld'), machine.linkerScript);
    const largest = Math.max(...models.map((model) => model.arenaBytes));
    if (largest > arenaBytes) throw new Error(`a model needs ${largest} bytes, more than the arena here`);
    await compile(
      folder,
      units.map((_, i) => `unit${i}`),
      machine,
    );
    return { outcomes: outcomesOf(jobs, models, await numbersOf(folder, machine)), models };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Bytes of constants and code that one image holds at most; those of a layer's code are estimated. */
const imageBytes = 700_000;
const codeBytes = { speed: 3_000, size: 600 };

function sizeOf({ graph, cases, optimize = 'speed' }: EmulatedJob): number {
  const constants = [...graph.values.values()].reduce((sum, { data }) => sum + (data?.byteLength ?? 0), 0);
  const inputs = cases.flat().reduce((sum, data) => sum + data.byteLength, 0);
  return 2 * constants + inputs + graph.nodes.length * codeBytes[optimize];
}

/** Jobs in images that fit into flash, in order. */
function images(jobs: readonly EmulatedJob[]): EmulatedJob[][] {
  const list: EmulatedJob[][] = [[]];
  let bytes = 0;
  for (const job of jobs) {
    bytes += sizeOf(job);
    if (bytes > imageBytes) {
      list.push([]);
      bytes = sizeOf(job);
    }
    list.at(-1)!.push(job);
  }
  return list;
}

/** Runs all jobs on an emulated machine. Throws when one cannot be compiled or a program stops early. */
export async function runOnMachine(
  jobs: readonly EmulatedJob[],
  machine: ModelMachine,
): Promise<EmulatedModels> {
  const parts: EmulatedModels[] = [];
  for (const part of images(jobs)) parts.push(await runImage(part, machine));
  return {
    outcomes: parts.flatMap(({ outcomes }) => outcomes),
    models: parts.flatMap(({ models }) => models),
  };
}
