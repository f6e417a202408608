import { beforeAll, describe, expect, it } from 'vitest';
import { evaluateFloat } from '../../../converter/evaluate/float.ts';
import { evaluateInteger } from '../../../converter/evaluate/integer.ts';
import { readFlatbuffer } from '../../../converter/formats/tflite/container/read.ts';
import { importTflite } from '../../../converter/formats/tflite/import.ts';
import { builtinName } from '../../../converter/formats/tflite/operators.ts';
import { writeTflite } from '../../../converter/formats/tflite/write.ts';
import { tensorOf } from '../../../converter/ir/graph.ts';
import { bytesOf, elementCount } from '../../../converter/ir/tensor.ts';
import type { Graph, TensorData } from '../../../converter/ir/types.ts';
import { verify } from '../../../converter/ir/verify.ts';
import { opOf, ops } from '../../../converter/ops/index.ts';
import { opRules } from '../../../converter/ops/rules.ts';
import { GraphBuilder, randomFloats } from '../../support/graphs.ts';
import { oraclePython } from '../../support/oracle.ts';
import { type Problem, problems } from './problems.ts';
import { quantizedInt8, quantizedInt16, realNumbers } from './quantized.ts';
import { hasTflm, type RuntimeAnswer, runRuntime } from './runtimes.ts';

const python = oraclePython();
const tflm = python !== undefined && hasTflm(python);

const built = (problem: Problem): Graph => {
  const b = new GraphBuilder();
  return b.finish(...problem.build(b));
};

const floats = (graph: Graph) =>
  graph.inputs.map((port, i) => randomFloats(elementCount(port.shape), 11 + i));

/** Stored integers over the whole range of the type. */
function integers(graph: Graph): TensorData[] {
  return graph.inputs.map((port, i) => {
    const real = randomFloats(elementCount(port.shape), 21 + i);
    const isWide = tensorOf(graph, port.value).type.dtype === 'int16';
    return isWide ? Int16Array.from(real, (x) => x * 32768) : Int8Array.from(real, (x) => x * 128);
  });
}

const operatorsOf = (bytes: Uint8Array): string[] => {
  const model = readFlatbuffer(bytes, 'test');
  return model.subgraphs[0]!.operators.map(({ opcodeIndex }) =>
    builtinName(model.operatorCodes[opcodeIndex]!.builtinCode),
  );
};

const named = problems.map((problem, i) => [problem.name, i] as const);
const hasInteger = (graph: Graph) => graph.nodes.every((node) => opOf(node.op).integer);

/** What the float graph gives for the real numbers that these stored integers stand for. */
async function floatAnswer(graph: Graph, integerGraph: Graph, inputs: readonly TensorData[]) {
  const reals = inputs.map((data, i) =>
    realNumbers(tensorOf(integerGraph, integerGraph.inputs[i]!.value).type, data),
  );
  return evaluateFloat(graph, reals, 1);
}

describe('the list of operators', () => {
  it('has a TFLite form for each but the mark of quantized ONNX, which is gone before a model is written', () => {
    expect(ops.filter((op) => !op.tflite).map((op) => op.name)).toEqual(['fakeQuantize']);
  });

  it('has a problem for each but quantize, dequantize and that mark', () => {
    const met = new Set(problems.flatMap((problem) => built(problem).nodes.map((node) => node.op)));
    expect(ops.map((op) => op.name).filter((name) => !met.has(name))).toEqual([
      'dequantize',
      'fakeQuantize',
      'quantize',
    ]);
  });
});

describe('a written graph read again', () => {
  it.each(named)('%s', (_, i) => {
    const problem = problems[i]!;
    const graph = built(problem);
    const bytes = writeTflite(graph);
    if (problem.operators) expect(operatorsOf(bytes)).toEqual(problem.operators);
    const again = importTflite(bytes, { fileName: 'again.tflite' }).graph;
    verify(again, 'typed', opRules);
    expect(Buffer.compare(writeTflite(again), bytes)).toBe(0);
    if (operatorsOf(bytes).length > graph.nodes.length) return;
    const described = (g: Graph) => g.nodes.map(({ op, attrs }) => ({ op, attrs }));
    expect(described(again)).toEqual(described(graph));
  });
});

describe.skipIf(!python)('float operators in LiteRT (skipped without the Python oracle)', () => {
  let answers: RuntimeAnswer[] = [];
  beforeAll(() => {
    const graphs = problems.map(built);
    const jobs = graphs.map((graph) => ({ model: writeTflite(graph), inputs: floats(graph) }));
    answers = runRuntime(python!, 'litert', jobs);
  });

  it.each(named)('%s', async (_, i) => {
    const graph = built(problems[i]!);
    const { error, outputs } = answers[i]!;
    expect(error).toBeUndefined();
    const expected = await evaluateFloat(graph, floats(graph), 1);
    for (const [k, want] of expected.entries()) {
      const got = new Float32Array(outputs[k]!.buffer);
      expect(got.length).toBe(want.length);
      for (const [j, x] of got.entries()) expect(Math.abs(x - want[j]!)).toBeLessThan(1e-5);
    }
  });
});

describe.skipIf(!python)('int8 operators in LiteRT (skipped without the Python oracle)', () => {
  const graphs: Graph[] = [];
  let answers: RuntimeAnswer[] = [];
  beforeAll(async () => {
    for (const problem of problems) graphs.push(await quantizedInt8(built(problem)));
    const jobs = graphs.map((graph) => ({ model: writeTflite(graph), inputs: integers(graph) }));
    answers = runRuntime(python!, 'litert', jobs);
  });

  it.each(named)('%s', (_, i) => {
    const graph = graphs[i]!;
    const { error, outputs } = answers[i]!;
    expect(error).toBeUndefined();
    if (!hasInteger(graph)) return;
    const expected = evaluateInteger(graph, integers(graph));
    for (const [k, want] of expected.entries()) expect(outputs[k]).toEqual(bytesOf(want));
  });

  it('gives files that read and write to the same bytes', () => {
    for (const graph of graphs) {
      const bytes = writeTflite(graph);
      const again = importTflite(bytes, { fileName: 'again.tflite' }).graph;
      verify(again, 'typed', opRules);
      expect(Buffer.compare(writeTflite(again), bytes)).toBe(0);
    }
  });
});

describe.skipIf(!python)('int16 operators in LiteRT (skipped without the Python oracle)', () => {
  const wide = problems.filter((problem) =>
    built(problem).nodes.every((node) => opOf(node.op).tflite!.versions.int16),
  );
  const graphs: Graph[] = [];
  let answers: RuntimeAnswer[] = [];
  beforeAll(async () => {
    for (const problem of wide) graphs.push(await quantizedInt16(built(problem)));
    const jobs = graphs.map((graph) => ({ model: writeTflite(graph), inputs: integers(graph) }));
    answers = runRuntime(python!, 'litert', jobs);
  });

  it.each(wide.map((problem, i) => [problem.name, i] as const))('%s', async (_, i) => {
    const graph = graphs[i]!;
    const { error, outputs } = answers[i]!;
    expect(error).toBeUndefined();
    const expected = await floatAnswer(built(wide[i]!), graph, integers(graph));
    for (const [k, want] of expected.entries()) {
      const { type } = tensorOf(graph, graph.outputs[k]!.value);
      const got = realNumbers(type, new Int16Array(outputs[k]!.buffer));
      const range = Math.max(...want.map(Math.abs), 0.1);
      for (const [j, x] of got.entries()) expect(Math.abs(x - want[j]!)).toBeLessThan(0.03 * range);
    }
  });
});

/**
 * What TFLM's kernels refuse of what LiteRT takes (tflite-micro 0.dev20261023), and RELU6, which there clips
 * without looking at the result's scale.
 */
const notInTflm = ['exp', 'neg', 'relu6', 'reluN1To1', 'sqrt'];

describe.skipIf(!tflm)('int8 operators in TFLM (skipped without PyPI tflite-micro in the oracle)', () => {
  const taken = problems.filter(
    (problem) => !built(problem).nodes.some((node) => notInTflm.includes(node.op)),
  );
  const graphs: Graph[] = [];
  let answers: RuntimeAnswer[] = [];
  beforeAll(async () => {
    for (const problem of taken) graphs.push(await quantizedInt8(built(problem)));
    const jobs = graphs.map((graph) => ({ model: writeTflite(graph), inputs: integers(graph) }));
    answers = runRuntime(python!, 'tflm', jobs);
  });

  it.each(taken.map((problem, i) => [problem.name, i] as const))('%s', (_, i) => {
    const { error, outputs } = answers[i]!;
    expect(error).toBeUndefined();
    const graph = graphs[i]!;
    if (!hasInteger(graph)) return;
    const [want] = evaluateInteger(graph, integers(graph));
    const got = new Int8Array(outputs[0]!.buffer);
    for (const [j, x] of got.entries()) expect(Math.abs(x - Number(want![j]))).toBeLessThanOrEqual(1);
  });
});
