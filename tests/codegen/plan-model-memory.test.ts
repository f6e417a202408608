import { describe, expect, it } from 'vitest';
import { type AotModel, generateAot } from '../../converter/codegen/aot.ts';
import type { AotOptions } from '../../converter/codegen/aot-options.ts';
import { prepareInteger } from '../../converter/evaluate/integer.ts';
import { bytesOf, elementCount } from '../../converter/ir/tensor.ts';
import type { Attributes, Graph, Node, Quantization, TensorData, Value } from '../../converter/ir/types.ts';
import { opOf } from '../../converter/ops/index.ts';
import { Random } from '../kernels/problems.ts';
import { hasHostCompiler, kernelTexts, provenance, runOnHost } from '../support/host-c.ts';

const quant: Quantization = { scale: [0.05], zeroPoint: [3] };

/** An int8 graph of one input `x`; every value has the same quantization. */
class Int8Graph {
  readonly values = new Map<string, Value>();
  readonly nodes: Node[] = [];

  constructor(shape: readonly number[]) {
    this.values.set('x', { name: 'x', type: { dtype: 'int8', shape, quant } });
  }

  shapeOf(name: string): readonly number[] {
    return this.values.get(name)!.type.shape;
  }

  node(op: string, inputs: readonly string[], attrs: Attributes = {}): string {
    const types = inputs.map((name) => this.values.get(name)!.type);
    const [type] = opOf(op).infer(types, attrs);
    const name = `v${this.nodes.length}`;
    this.values.set(name, { name, type: { dtype: 'int8', shape: type!.shape, quant } });
    this.nodes.push({ op, inputs, outputs: [name], attrs, origin: `${op} ${name}` });
    return name;
  }

  relu = (x: string) => this.node('relu', [x]);
  add = (a: string, b: string) => this.node('add', [a, b], { activation: 'none' });
  joinRows = (...inputs: string[]) => this.node('concatenation', inputs, { axis: 1 });

  rows(x: string, begin: number, count: number): string {
    const [, , width, depth] = this.shapeOf(x);
    const attrs = { begin: [0, begin, 0, 0], size: [1, count, width!, depth!], strides: [1, 1, 1, 1] };
    return this.node('slice', [x], attrs);
  }

  convolution(x: string, random: Random): string {
    const depth = this.shapeOf(x)[3]!;
    const shape = [depth, 3, 3, depth];
    const [weights, bias] = [`w${this.nodes.length}`, `b${this.nodes.length}`];
    const weightQuant = { scale: [0.02], zeroPoint: [0] };
    this.values.set(weights, {
      name: weights,
      type: { dtype: 'int8', shape, quant: weightQuant },
      data: random.int8s(elementCount(shape)),
    });
    this.values.set(bias, {
      name: bias,
      type: { dtype: 'int32', shape: [depth], quant: { scale: [0.05 * 0.02], zeroPoint: [0] } },
      data: Int32Array.from({ length: depth }, () => random.integer(-2000, 2000)),
    });
    const attrs = { strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1], activation: 'none' };
    return this.node('conv2d', [x, weights, bias], attrs);
  }

  finish(...outputs: string[]): Graph {
    const port = (name: string) => ({ name, value: name, shape: this.shapeOf(name) });
    const { nodes, values } = this;
    return { name: 'test', nodes, values, inputs: [port('x')], outputs: outputs.map(port) };
  }
}

const generate = (graph: Graph, options: Partial<AotOptions> = {}): AotModel =>
  generateAot(graph, { ...provenance, optimize: 'speed', kernels: kernelTexts, ...options });

/** Every layer's result and the outputs, as the reference has them. */
function expectedBytes(graph: Graph, input: TensorData) {
  const layers: number[][] = [];
  const outputs = prepareInteger(graph).run([input], {
    onLayer: (_node, _index, data) => layers.push(Array.from(bytesOf(data as Int8Array))),
  });
  return { layers, outputs: outputs.flatMap((data) => Array.from(bytesOf(data))) };
}

function expectSameAsReference(jobs: readonly { graph: Graph; regions?: AotOptions['regions'] }[]): void {
  const random = new Random(5);
  const cases = jobs.map((job) => ({
    ...job,
    cases: [[random.int8s(elementCount(job.graph.inputs[0]!.shape))]],
  }));
  const results = runOnHost(cases);
  for (const [i, { graph, cases: inputs }] of cases.entries()) {
    const [found] = results[i]!.cases;
    const { layers, outputs } = found!;
    const result = { layers: layers.map((bytes) => Array.from(bytes)), outputs: Array.from(outputs) };
    expect(result).toEqual(expectedBytes(graph, inputs[0]![0]!));
  }
}

/** Kernels that a model calls. */
const calls = (model: AotModel) =>
  [...model.files.get('model.c')!.matchAll(/^\ttml_(\w+)\(&p/gm)].map(([, kernel]) => kernel);

describe('concatenation along the outermost axis', () => {
  function twoBranches(): Graph {
    const g = new Int8Graph([1, 4, 4, 4]);
    const [a, b] = [g.node('maxPool2d', ['x'], pool), g.node('maxPool2d', ['x'], pool)];
    return g.finish(g.joinRows(a, b));
  }
  const pool = { filter: [2, 2], strides: [1, 1], pads: [0, 0, 0, 0], activation: 'none' };

  it('takes neither code nor memory: its inputs are made in its place', () => {
    const model = generate(twoBranches());
    expect(calls(model)).toEqual(['max_pool2d_s8', 'max_pool2d_s8']);
    expect(model.layers.map(({ place }) => place.offset - model.layers[2]!.place.offset)).toEqual([0, 36, 0]);
    expect(model.arenaBytes).toBeLessThanOrEqual(64 + 72);
  });

  it('copies a part that is an input of the graph or has its place already', () => {
    const g = new Int8Graph([1, 4, 4, 4]);
    const a = g.node('maxPool2d', ['x'], { ...pool, filter: [2, 1] });
    const joined = g.joinRows(a, a, 'x');
    const late = g.joinRows(joined, a);
    const copies = ['copy_box', 'copy_box', 'copy_box'];
    expect(calls(generate(g.finish(late)))).toEqual(['max_pool2d_s8', ...copies]);
  });

  it('keeps the input known as kept where nothing is written over it', () => {
    const g = new Int8Graph([1, 4, 4, 4]);
    const top = g.rows('x', 1, 2);
    expect(generate(g.finish(g.node('maxPool2d', [top], pool))).inputKept).toBe(false);
    const both = new Int8Graph([1, 4, 4, 4]);
    const [first, second] = [both.rows('x', 0, 2), both.rows('x', 2, 2)];
    const model = generate(both.finish(both.node('maxPool2d', [first], pool), second));
    expect(calls(model)).toEqual(['max_pool2d_s8']);
    expect(model.inputKept).toBe(true);
  });

  it('is a copy where sharing would take more memory', () => {
    // The first part would keep the whole result in memory while the widest values are.
    const g = new Int8Graph([1, 2, 4, 4]);
    const small = g.rows('x', 0, 1);
    const part = g.relu(small);
    const wide = g.joinRows('x', 'x', 'x', 'x', 'x', 'x', 'x', 'x');
    const narrow = g.node('maxPool2d', [wide], { ...pool, filter: [16, 1], strides: [16, 1] });
    const graph = g.finish(g.joinRows(part, narrow, narrow, narrow, narrow, narrow, narrow));
    expectSameAsReference([{ graph }]);
    expect(generate(graph).arenaBytes).toBeLessThanOrEqual(16 + 32 + 256);
  });
});

/** Rows of a random graph: joined, cut, added, convolved, pooled, with values that are read again much later. */
function randomGraph(random: Random): Graph {
  const [width, depth] = random.pick([
    [4, 4],
    [3, 3],
    [2, 8],
    [1, 5],
  ] as const);
  const g = new Int8Graph([1, random.integer(2, 6), width, depth]);
  const names = ['x'];
  const recent = () => names[names.length - 1 - random.integer(0, Math.min(3, names.length - 1))]!;
  const height = (name: string) => g.shapeOf(name)[1]!;
  const steps: (() => string)[] = [
    () => g.relu(recent()),
    () => g.convolution(recent(), random),
    () => g.joinRows(...Array.from({ length: random.integer(2, 3) }, recent)),
    () => {
      const x = recent();
      const count = random.integer(1, height(x));
      return g.rows(x, random.integer(0, height(x) - count), count);
    },
    () => {
      const x = recent();
      const alike = names.filter((name) => height(name) === height(x));
      return g.add(x, random.pick(alike));
    },
    () => {
      const x = recent();
      const filter = [Math.min(2, height(x)), 1];
      return g.node('maxPool2d', [x], { filter, strides: filter, pads: [0, 0, 0, 0], activation: 'none' });
    },
  ];
  const count = random.integer(4, 12);
  while (names.length <= count)
    names.push(random.pick(height(names.at(-1)!) > 20 ? steps.slice(3) : steps)());
  const read = new Set(g.nodes.flatMap(({ inputs }) => inputs));
  return g.finish(...names.slice(1).filter((name) => !read.has(name)));
}

describe('generated models of random graphs', () => {
  it.skipIf(!hasHostCompiler())(
    'compute every layer in shared memory: 60 graphs, one and two memories (skipped without gcc)',
    { timeout: 60_000 },
    () => {
      const random = new Random(77);
      const graphs = Array.from({ length: 60 }, () => randomGraph(random));
      const models = graphs.map((graph) => generate(graph));
      const joins = models.flatMap((model) => model.layers.filter(({ op }) => op === 'concatenation'));
      expect(joins.length).toBeGreaterThan(60);
      const jobs = graphs.map((graph, i) => {
        const half = Math.ceil(models[i]!.arenaBytes * 0.7);
        return i % 2 === 0
          ? { graph }
          : { graph, regions: [{ bytes: half }, { bytes: half, section: '.bss.second' }] };
      });
      expectSameAsReference(jobs);
    },
  );
});
