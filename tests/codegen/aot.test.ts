import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type AotModel, generateAot } from '../../converter/codegen/aot.ts';
import { prepareInteger } from '../../converter/evaluate/integer.ts';
import { bytesOf } from '../../converter/ir/tensor.ts';
import type { Graph, Node, Quantization, Value } from '../../converter/ir/types.ts';
import { Random } from '../kernels/problems.ts';
import { hasHostCompiler, kernelTexts, provenance, runOnHost, warningFlags } from '../support/host-c.ts';

const quant: Quantization = { scale: [0.05], zeroPoint: [3] };
const tensor = (name: string, shape: readonly number[]): Value => ({
  name,
  type: { dtype: 'int8', shape, quant },
});
const node = (op: string, inputs: string[], output: string, attrs: Node['attrs'], origin = op): Node => ({
  op,
  inputs,
  outputs: [output],
  attrs,
  origin,
});

/** A graph of [1,4,4,8] tensors unless a shape says otherwise. */
function graphOf(
  nodes: readonly Node[],
  outputs: readonly string[],
  shapes: Record<string, number[]> = {},
): Graph {
  const names = ['x', ...nodes.map(({ outputs: [name] }) => name!)];
  const shapeOf = (name: string) => shapes[name] ?? [1, 4, 4, 8];
  const port = (name: string) => ({ name, value: name, shape: shapeOf(name) });
  return {
    name: 'test',
    nodes,
    values: new Map(names.map((name) => [name, tensor(name, shapeOf(name))])),
    inputs: [port('x')],
    outputs: outputs.map(port),
  };
}

const generate = (graph: Graph, options = {}): AotModel =>
  generateAot(graph, { ...provenance, optimize: 'speed', kernels: kernelTexts, ...options });

function expectSameAsReference(graph: Graph): void {
  const random = new Random(5);
  const inputs = [random.int8s(128)];
  const expected = prepareInteger(graph)
    .run(inputs)
    .flatMap((data) => Array.from(bytesOf(data)));
  const [result] = runOnHost([{ graph, cases: [inputs] }]);
  expect(Array.from(result!.cases[0]!.outputs)).toEqual(expected);
}

describe('memory of a generated model', () => {
  const relu = (from: string, to: string) => node('relu', [from], to, {});
  const add = (a: string, b: string, to: string) => node('add', [a, b], to, { activation: 'none' });
  const flat = (from: string, to: string) => node('reshape', [from], to, { shape: [1, 128] });

  it('lets element-wise layers work in place and reshapes cost nothing', () => {
    const graph = graphOf([relu('x', 'a'), flat('a', 'b'), relu('b', 'y')], ['y'], {
      b: [1, 128],
      y: [1, 128],
    });
    const model = generate(graph);
    expect(model.arenaBytes).toBe(128);
    expect(model.inputKept).toBe(false);
    expect(new Set(model.layers.map(({ place }) => place.offset))).toEqual(new Set([0]));
  });

  it.skipIf(!hasHostCompiler())('keeps a value that is read again later (skipped without gcc)', () => {
    const graph = graphOf([relu('x', 'a'), relu('a', 'b'), add('a', 'b', 'y')], ['y']);
    expect(generate(graph).arenaBytes).toBe(256);
    expectSameAsReference(graph);
  });

  it.skipIf(!hasHostCompiler())('keeps a value whose view is read again later (skipped without gcc)', () => {
    const nodes = [flat('x', 'v'), relu('x', 'a'), flat('a', 'b'), add('v', 'b', 'y')];
    const flatShape = [1, 128];
    const graph = graphOf(nodes, ['y'], { v: flatShape, b: flatShape, y: flatShape });
    expect(generate(graph).arenaBytes).toBe(256);
    expectSameAsReference(graph);
  });

  it.skipIf(!hasHostCompiler())(
    'keeps every output, also one that is read further (skipped without gcc)',
    () => {
      const graph = graphOf([relu('x', 'a'), relu('a', 'b'), flat('b', 'c')], ['a', 'b', 'c'], {
        c: [1, 128],
      });
      expectSameAsReference(graph);
    },
  );
});

describe('generated text', () => {
  const graph = graphOf([node('relu', ['x'], 'y', {})], ['y']);

  it('is the same for the same input, and carries no time', () => {
    const [first, second] = [generate(graph), generate(graph)];
    expect([...first.files]).toEqual([...second.files]);
    expect(first.files.get('model.c')).not.toMatch(/20\d\d-\d\d/);
  });

  it('says where it came from and how to use it', () => {
    const header = generate(graph).files.get('model.h')!;
    expect(header).toContain(provenance.modelHash);
    expect(header).toContain('#define MODEL_ARENA_BYTES 128');
    expect(header).toContain('model_quantize_input_0(1.25f) is 28: 1.25 / 0.0500000007 rounded, plus 3.');
    expect(header).toContain('int8_t *model_input_0(void);');
  });

  it('refuses an operator without a kernel by the layer name', () => {
    const unsupported = graphOf([node('sqrt', ['x'], 'y', {}, 'encoder/root')], ['y']);
    expect(() => generate(unsupported)).toThrowError(/layer "encoder\/root" uses sqrt on int8/);
  });
});

describe('refusals', () => {
  it('name the layer whose scales mean nothing', () => {
    const graph = graphOf([node('maximum', ['x', 'x'], 'y', { activation: 'none' }, 'head/max')], ['y']);
    const other = {
      ...tensor('y', [1, 4, 4, 8]),
      type: { ...tensor('y', [1, 4, 4, 8]).type, quant: { scale: [1], zeroPoint: [0] } },
    };
    const mixed = { ...graph, values: new Map([...graph.values, ['y', other]]) };
    expect(() => generate(mixed)).toThrowError(/node "head\/max": maximum: input and output differ in scale/);
    expect(() => prepareInteger(mixed)).toThrowError(/node "head\/max"/);
  });

  it('name an output that no layer computes', () => {
    expect(() => generate(graphOf([], ['x']))).toThrowError(/output "x" does not depend on any layer/);
  });
});

/** Names that have broken C generators: comment ends, trigraphs, continued lines, control characters, keywords. */
const hostileNames = [
  '*/ int x; /*',
  '/* nested',
  '"); system("touch canary"); ("',
  'line\\\nbreak\\',
  '??/',
  '??=define x',
  'int',
  '__proto__',
  'constructor',
  '',
  '\u0000\u0007',
  '\u202eevil',
  'émoji 🦊',
  '%s%n',
  '//',
  '#include "/etc/passwd"',
  'x'.repeat(10_000),
  '\\',
];

describe.skipIf(!hasHostCompiler())('hostile names (skipped without gcc)', () => {
  it('compile without a warning, and do nothing', () => {
    const nodes = hostileNames.map((origin, i) =>
      node('relu', [i === 0 ? 'x' : `v${i}`], `v${i + 1}`, {}, origin),
    );
    const last = `v${hostileNames.length}`;
    const plain = graphOf(nodes, [last]);
    for (const name of hostileNames) {
      const port = (value: string) => ({ name, value, shape: [1, 4, 4, 8] });
      const graph = { ...plain, name, inputs: [port('x')], outputs: [port(last)] };
      const { files } = generate(graph, { name, command: name, toolVersion: name });
      const source = [...files].find(([file]) => file.endsWith('.c'))!;
      expect(source[0]).toMatch(/^[a-z][a-z0-9_]*\.c$/);
      for (const text of files.values()) expect(text).toMatch(/^[\n\t -~]*$/);
    }
    const folder = mkdtempSync(join(tmpdir(), 'tinyml-names-'));
    try {
      const port = (value: string) => ({ name: hostileNames.join(''), value, shape: [1, 4, 4, 8] });
      const { files } = generate({ ...plain, inputs: [port('x')], outputs: [port(last)] });
      for (const [name, text] of files) writeFileSync(join(folder, name), text);
      const args = [...warningFlags, '-trigraphs', '-c', 'model.c'];
      expect(() =>
        execFileSync('gcc', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] }),
      ).not.toThrow();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
