import { describe, expect, it } from 'vitest';
import { evaluateFloat } from '../../converter/evaluate/float.ts';
import { tensorOf } from '../../converter/ir/graph.ts';
import { elementCount } from '../../converter/ir/tensor.ts';
import type { Graph, Value } from '../../converter/ir/types.ts';
import { ops } from '../../converter/ops/index.ts';
import { hasHostCompiler, runOnHost } from '../support/host-c.ts';
import { makeProblems, type Problem, Random } from './problems.ts';

const random = new Random(99);

/** Numbers on both sides of zero, small and large; positive ones where the operator asks for them. */
function reals(count: number, op: string): Float32Array {
  return Float32Array.from({ length: count }, () => {
    const x = (random.next() - 0.5) * random.pick([0.01, 1, 8]);
    return op === 'sqrt' || op === 'div' ? Math.abs(x) + 0.01 : x;
  });
}

/** The same node on float32 tensors. */
function realProblem({ graph, name, cases }: Problem): Problem {
  const { op } = graph.nodes[0]!;
  const real = (value: Value): Value => ({
    name: value.name,
    type: { dtype: 'float32', shape: value.type.shape },
    ...(value.data ? { data: reals(elementCount(value.type.shape), op) } : {}),
  });
  const values = new Map([...graph.values].map(([key, value]) => [key, real(value)]));
  const inputs = graph.inputs.map((port) => reals(elementCount(port.shape), op));
  return { name, graph: { ...graph, values }, cases: cases.slice(0, 1).map(() => inputs) };
}

/** Operators without an int8 form, on shapes of one that has. */
function borrowed(problems: readonly Problem[], op: string, from: string): Problem[] {
  const lender = problems.filter(({ graph }) => graph.nodes[0]!.op === from);
  return lender.map((problem) => ({
    ...problem,
    name: problem.name.replace(from, op),
    graph: { ...problem.graph, nodes: problem.graph.nodes.map((node) => ({ ...node, op })) },
  }));
}

const integerOnly = new Set(['quantize', 'dequantize']);
const quantized = makeProblems(4, 3).filter(({ graph }) => !integerOnly.has(graph.nodes[0]!.op));
const problems = [
  ...quantized,
  ...borrowed(quantized, 'div', 'mul'),
  ...borrowed(quantized, 'neg', 'abs'),
  ...borrowed(quantized, 'sqrt', 'abs'),
].map(realProblem);

function largestError(graph: Graph, actual: Float32Array, expected: Float32Array): number {
  expect(actual.length).toBe(elementCount(tensorOf(graph, 'y').type.shape));
  return expected.reduce(
    (worst, value, i) => Math.max(worst, Math.abs(actual[i]! - value) / (1 + Math.abs(value))),
    0,
  );
}

describe('float kernels', () => {
  it('exist for every operator with a float evaluation that can be in a converted graph', () => {
    const without = ops.filter(
      (op) =>
        op.float &&
        op.name !== 'fakeQuantize' &&
        !problems.some(({ graph }) => graph.nodes[0]!.op === op.name),
    );
    expect(without.map((op) => op.name)).toEqual([]);
  });

  it.skipIf(!hasHostCompiler())('agree with tfjs within 1e-5 (skipped without gcc)', async () => {
    const results = runOnHost(problems.map(({ graph, cases }) => ({ graph, cases })));
    const wrong: string[] = [];
    for (const [i, { graph, name, cases }] of problems.entries()) {
      const [expected] = await evaluateFloat(graph, cases[0] as Float32Array[], 1);
      const { outputs } = results[i]!.cases[0]!;
      const actual = new Float32Array(outputs.slice().buffer);
      const error = largestError(graph, actual, expected!);
      if (!(error < 1e-5)) wrong.push(`${name}: ${error}`);
    }
    expect(wrong).toEqual([]);
  });
});
