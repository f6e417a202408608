import { expect, it } from 'vitest';
import { prepareInteger } from '../../converter/evaluate/integer.ts';
import { writeTflite } from '../../converter/formats/tflite/write.ts';
import { tensorOf } from '../../converter/ir/graph.ts';
import { bytesOf } from '../../converter/ir/tensor.ts';
import { ops } from '../../converter/ops/index.ts';
import { runRuntime } from '../formats/tflite/runtimes.ts';
import { hasHostCompiler, runOnHost } from '../support/host-c.ts';
import { oraclePython } from '../support/oracle.ts';
import { makeProblems, makers, type Problem } from './problems.ts';

const seed = 20261124;
const python = oraclePython();

/** Bytes of the output for each case, by the reference evaluation. */
function expected({ graph, cases }: Problem): Uint8Array[] {
  const model = prepareInteger(graph);
  return cases.map((inputs) => bytesOf(model.run(inputs)[0]!).slice());
}

function firstDifference(a: Uint8Array, b: Uint8Array): string {
  const at = a.findIndex((value, i) => value !== b[i]);
  return at < 0 && a.length === b.length ? '' : `byte ${at} of ${a.length}: ${a[at]} and ${b[at]}`;
}

it('covers every operator that has an integer evaluation', () => {
  const withInteger = ops.filter((op) => op.integer).map((op) => op.name);
  expect(new Set(makers.map(([op]) => op))).toEqual(new Set(withInteger));
  expect(ops.filter((op) => op.integer && !op.kernels)).toEqual([]);
});

it.skipIf(!hasHostCompiler())(
  'generated C equals the reference on seeded problems (skipped without gcc)',
  () => {
    const problems = makeProblems(seed, 4);
    const results = runOnHost(
      problems.map(({ graph, cases }, i) => ({ graph, cases, optimize: i % 2 === 0 ? 'speed' : 'size' })),
    );
    const differences = problems.flatMap((problem, i) =>
      expected(problem).flatMap((bytes, n) => {
        const found = firstDifference(bytes, results[i]!.cases[n]!.outputs);
        return found === '' ? [] : [`${problem.name}: ${found}`];
      }),
    );
    expect(differences).toEqual([]);
  },
);

it.skipIf(!python)('the reference equals LiteRT on seeded problems (skipped without LiteRT)', () => {
  const problems = makeProblems(seed + 1, 8);
  const jobs = problems.flatMap(({ graph, cases }) => {
    const model = writeTflite(graph);
    return cases.map((inputs) => ({ model, inputs }));
  });
  const answers = runRuntime(python!, 'litert', jobs);
  const differences = problems.flatMap((problem, i) =>
    expected(problem).flatMap((bytes, n) => {
      const { outputs, error } = answers[i * problem.cases.length + n]!;
      const found = error ?? firstDifference(bytes, outputs[0]!);
      return found === '' ? [] : [`${problem.name} ${quantText(problem)}: ${found}`];
    }),
  );
  expect(differences).toEqual([]);
});

function quantText({ graph }: Problem): string {
  const names = [...graph.nodes[0]!.inputs, 'y'];
  return names
    .map((name) => JSON.stringify(tensorOf(graph, name).type.quant?.zeroPoint.slice(0, 1)))
    .join(' ');
}
