import { describe, expect, it } from 'vitest';
import { prepareInteger } from '../../converter/evaluate/integer.ts';
import { writeTflite } from '../../converter/formats/tflite/write.ts';
import { runRuntime } from '../formats/tflite/runtimes.ts';
import { hasEmulator } from '../support/emulated-kernels.ts';
import { hashOf, modelMachines, runOnMachine } from '../support/emulated-models.ts';
import { hasHostCompiler, runOnHost } from '../support/host-c.ts';
import { oraclePython } from '../support/oracle.ts';
import { countForms, tableOf, wantedForms } from './forms.ts';
import { conformanceProblems } from './problems.ts';
import { rounds, seed } from './seed.ts';

const problems = conformanceProblems(seed, rounds);
const python = oraclePython();

/**
 * One problem of three is compiled for its own numbers, the others as kernels for any numbers; every other one may have
 * its weights coded, in all the memory that the emulated machines' programs have for arenas.
 */
const jobs = problems.map((problem, i) => ({
  ...problem,
  optimize: i % 3 === 0 ? ('speed' as const) : ('size' as const),
  ...(i % 2 === 0 ? { codedIn: 80_000 } : {}),
}));

const expected = problems.map(({ graph, cases }) => {
  const model = prepareInteger(graph);
  return cases.map((inputs) => hashOf(model.run(inputs)));
});

const nameOf = (i: number) => `seed ${seed}, problem ${i}: ${problems[i]!.name}`;

/** The problems for which `hash` is not that of the reference, one line each. */
function differences(hash: (problem: number, one: number) => number): string[] {
  return problems.flatMap((_, i) =>
    expected[i]!.flatMap((value, one) => (hash(i, one) === value ? [] : [nameOf(i)])),
  );
}

it(`there are at least 2,000 problems (seed ${seed}; TINYML_SEED names another)`, () => {
  expect(problems.length).toBeGreaterThanOrEqual(2000);
});

it.skipIf(!hasHostCompiler())(
  'C on this machine, under sanitizers (skipped without gcc)',
  {
    timeout: 900_000,
  },
  () => {
    const results = runOnHost(jobs);
    expect(differences((i, one) => hashOf([results[i]!.cases[one]!.outputs]))).toEqual([]);
  },
);

/** Each form and each fallback must be met so many times. */
const oftenEnough = 4;

describe.concurrent.each(modelMachines)('C on an emulated $core', (target) => {
  const { compiler, emulator } = target.machine;
  const ready = hasEmulator(target.machine);

  it.skipIf(!ready)(`(skipped without ${compiler} and ${emulator})`, { timeout: 900_000 }, async () => {
    const { outcomes, models } = await runOnMachine(jobs, target);
    const counts = countForms(models);
    console.log(`${target.core}, ${problems.length} problems, seed ${seed}:\n${tableOf(counts)}`);
    const tooRare = wantedForms[target.core]!.filter((kind) => (counts.get(kind) ?? 0) < oftenEnough);
    expect(tooRare).toEqual([]);
    expect(differences((i, one) => outcomes[i]![one]!.outputs)).toEqual([]);
    const outside = problems.filter((_, i) => outcomes[i]!.some(({ keptToItself }) => !keptToItself));
    expect(outside.map(({ name }) => name)).toEqual([]);
  });
});

it.skipIf(!python)('LiteRT, which judges the reference itself (skipped without it)', () => {
  const tasks = problems.flatMap(({ graph, cases }) => {
    const model = writeTflite(graph);
    return cases.map((inputs) => ({ model, inputs }));
  });
  const answers = runRuntime(python!, 'litert', tasks);
  expect(answers.flatMap(({ error }) => error ?? [])).toEqual([]);
  expect(differences((i, one) => hashOf(answers[2 * i + one]!.outputs))).toEqual([]);
});
