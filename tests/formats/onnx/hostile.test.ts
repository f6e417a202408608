import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs/minimal.js';
import { describe, expect, test } from 'vitest';
import { importOnnx } from '../../../converter/formats/onnx/import.ts';
import { codeOf, mutations } from '../../support/hostile.ts';
import { sharedFolder } from '../../support/oracle.ts';
import type { Draft } from './encode.ts';
import { everyFeature } from './every-feature.ts';
import { attribute, floats, int64s, type ModelParts, model, node, port } from './models.ts';

const ours = /^E_(ONNX|MODEL)_/;
const shared = sharedFolder();

function load(bytes: Uint8Array) {
  return importOnnx(bytes, { fileName: 'hostile.onnx' });
}

/** Imports hostile bytes: success or an error of ours, within two seconds. Gives back the code. */
function survive(bytes: Uint8Array): string | undefined {
  const start = performance.now();
  const code = codeOf(() => load(bytes));
  if (code !== undefined) expect(code).toMatch(ours);
  expect(performance.now() - start).toBeLessThan(2000 * patience);
  return code;
}

/** Two cores are shared with other tests. */
const patience = 4;

describe('damage', () => {
  const seed = everyFeature();

  test('the seed itself can be imported', () => {
    expect(survive(seed)).toBeUndefined();
  });

  test('a cut at every byte is refused', () => {
    for (let length = 0; length < seed.length; length++) {
      const code = codeOf(() => load(seed.subarray(0, length)));
      // A cut between two fields of the model leaves a smaller model that is whole.
      if (code === undefined) expect(load(seed.subarray(0, length)).graph.nodes.length).toBeGreaterThan(0);
      else expect(code).toMatch(ours);
    }
  });

  test('4000 damaged copies end in success or in an error of ours', () => {
    for (const { mutant } of mutations(seed, 4000)) survive(mutant);
  });

  test('bit flips all over the first kilobyte end in success or in an error of ours', () => {
    for (let bit = 0; bit < 8 * 1024; bit += 5) {
      const mutant = seed.slice();
      mutant[bit >> 3]! ^= 1 << (bit & 7);
      const code = codeOf(() => load(mutant));
      if (code !== undefined) expect(code).toMatch(ours);
    }
  });

  test('random bytes are refused as damaged or foreign', () => {
    let state = 5;
    for (let i = 0; i < 300; i++) {
      const noise = Uint8Array.from({ length: 1 + (i % 97) * 7 }, () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state >>> 24;
      });
      expect(survive(noise)).toMatch(/^E_ONNX_/);
    }
  });

  test.skipIf(!shared)('damaged copies of real models end in success or in an error of ours', () => {
    for (const name of ['motor_tcn', 'kws_torch_legacy', 'kws_tf2onnx', 'digits_mbv2']) {
      const bytes = new Uint8Array(readFileSync(join(shared!, 'models', `${name}.onnx`)));
      // Damage in the weights changes numbers only; the nodes stand in the first bytes.
      const head = bytes.subarray(0, 12_000);
      for (const { mutant } of mutations(head, 60)) {
        const whole = new Uint8Array(mutant.length + bytes.length - head.length);
        whole.set(mutant);
        whole.set(bytes.subarray(head.length), mutant.length);
        survive(whole);
      }
      for (let part = 1; part < 20; part++)
        survive(bytes.subarray(0, Math.floor((bytes.length * part) / 20)));
    }
  });

  test('the error names the file, says that it is damaged, and where', () => {
    try {
      load(seed.subarray(0, 700));
    } catch (error) {
      expect(error).toMatchObject({ code: 'E_ONNX_DAMAGED', exit: 1 });
      expect((error as Error).message).toMatch(/^hostile\.onnx: .*damaged/);
    }
    expect.assertions(2);
  });
});

describe('files of another kind', () => {
  const text = (value: string) => new TextEncoder().encode(value);
  const kinds: readonly (readonly [string, Uint8Array])[] = [
    ['TFLite', Uint8Array.of(0x1c, 0, 0, 0, ...text('TFL3'), 0, 0)],
    ['PNG', Uint8Array.of(0x89, ...text('PNG\r\n\x1a\n'))],
    ['JPEG', Uint8Array.of(0xff, 0xd8, 0xff, 0xe0)],
    ['zip', Uint8Array.of(...text('PK'), 3, 4, 20, 0)],
    ['pickle', Uint8Array.of(0x80, 4, 0x95, 0, 0)],
    ['HDF5', Uint8Array.of(0x89, ...text('HDF\r\n'))],
    ['NumPy', Uint8Array.of(0x93, ...text('NUMPY'), 1, 0)],
    ['gzip', Uint8Array.of(0x1f, 0x8b, 8)],
    ['UTF-16', Uint8Array.of(0xff, 0xfe, 0x41, 0)],
    ['JSON', text('{"format": "layers-model"}')],
    ['text', text('hello, this is no model\n')],
    ['Git LFS', text('version https://git-lfs.github.com/spec/v1\n')],
    ['empty', new Uint8Array()],
  ];
  test.each(kinds)('%s is named', (kind, bytes) => {
    expect(codeOf(() => load(bytes))).toBe('E_ONNX_NOT_ONNX');
    expect(() => load(bytes)).toThrow(new RegExp(`hostile\\.onnx.*${kind}`, 'i'));
  });
});

describe('protobuf bombs', () => {
  const varint = (value: number): number[] =>
    value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
  const field = (number: number, bytes: Uint8Array): Uint8Array =>
    new Uint8Array(
      protobuf.Writer.create()
        .uint32((number << 3) | 2)
        .bytes(bytes)
        .finish(),
    );

  test('100 000 nested messages are refused', () => {
    // graph (7), node (1), attribute (5), graph (6), node (1) and so on; built from the inside.
    const depth = 99_998;
    const layers = [6, 5, 1];
    const sizes: number[] = [0];
    for (let i = 0; i < depth; i++) sizes.push(sizes[i]! + 1 + varint(sizes[i]!).length);
    const bytes: number[] = [(7 << 3) | 2, ...varint(sizes[depth]!)];
    for (let i = depth; i > 0; i--) bytes.push((layers[i % 3]! << 3) | 2, ...varint(sizes[i - 1]!));
    expect(survive(Uint8Array.from(bytes))).toBe('E_ONNX_DAMAGED');
  });

  test('groups are refused, nested or not', () => {
    expect(survive(new Uint8Array(100_000).fill((99 << 3) | 3))).toBe('E_ONNX_DAMAGED');
    expect(survive(Uint8Array.of(0x08, 0x08, (7 << 3) | 3, (7 << 3) | 4))).toBe('E_ONNX_DAMAGED');
  });

  test.each([
    ['a varint of 11 bytes', [0x08, ...new Array<number>(11).fill(0xff), 1]],
    ['a tag of 6 bytes', [0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0]],
    ['field number 0', [0x02, 0x00]],
    ['wire type 7', [0x0f, 0x00]],
    ['a length of 2^31 - 1', [0x3a, 0xff, 0xff, 0xff, 0xff, 0x07]],
    ['a length of 2^32 - 1', [0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f]],
    ['a length one beyond the end', [0x3a, 0x02, 0x0a]],
    ['an unknown field beyond the end', [0xfa, 0x3f, 0x7f, 0x00]],
  ])('%s is refused', (_, bytes) => {
    expect(survive(Uint8Array.from(bytes))).toBe('E_ONNX_DAMAGED');
  });

  test('a million empty nodes are refused before they fill the memory', () => {
    const nodes = new Uint8Array(2_000_000);
    for (let i = 0; i < nodes.length; i += 2) nodes[i] = (1 << 3) | 2;
    expect(survive(field(7, nodes))).toBe('E_ONNX_TOO_LARGE');
  });

  test('a million empty packed lists are harmless', () => {
    const lists = new Uint8Array(2_000_000);
    for (let i = 0; i < lists.length; i += 2) lists[i] = (4 << 3) | 2;
    expect(survive(field(7, field(5, lists)))).toMatch(ours);
  });

  test('a million dimensions are refused', () => {
    const weights = { name: 'w', dims: new Array<number>(1_000_000).fill(1), dataType: 1, floatData: [1] };
    const bytes = model({ nodes: [node('Add', ['x', 'w'], ['y'])], initializers: [weights] });
    expect(survive(bytes)).toBe('E_ONNX_TENSOR');
    expect(
      survive(
        model({ nodes: [node('Relu', ['x'], ['y'])], inputs: [port('x', new Array<number>(1e5).fill(1))] }),
      ),
    ).toBe('E_ONNX_INPUT');
  });
});

describe('graph bombs', () => {
  const run = (parts: ModelParts) => survive(model(parts));
  const chain = (op: string, count: number) =>
    Array.from({ length: count }, (_, i) =>
      node(op, [i === 0 ? 'x' : `v${i - 1}`], [i === count - 1 ? 'y' : `v${i}`]),
    );

  test('a chain of 100 000 nodes is imported, and a shorter one that stands backwards', () => {
    expect(load(model({ nodes: chain('Relu', 100_000) })).graph.nodes).toHaveLength(100_000);
    expect(load(model({ nodes: chain('Relu', 20_000).reverse() })).graph.nodes).toHaveLength(20_000);
  });

  test('more nodes than any network has are refused', () => {
    expect(codeOf(() => load(model({ nodes: chain('Relu', 120_001) })))).toBe('E_ONNX_TOO_LARGE');
  });

  test('If within If, a thousand deep, is refused', () => {
    let graph: Draft = { node: [node('Relu', ['x'], ['t'])], output: [port('t', [])] };
    for (let depth = 0; depth < 1000; depth++) {
      const branches = [attribute.graph('then_branch', graph), attribute.graph('else_branch', { node: [] })];
      graph = { node: [node('If', ['yes'], ['t'], branches)], output: [port('t', [])] };
    }
    expect(run({ nodes: [node('If', ['x'], ['y'], [attribute.graph('then_branch', graph)])] })).toBe(
      'E_ONNX_DAMAGED',
    );
  });

  const huge = (...sizes: readonly (number | bigint)[]) => int64s('huge', sizes);
  const grow: readonly (readonly [string, ModelParts])[] = [
    [
      'ConstantOfShape 2^40',
      { nodes: [node('ConstantOfShape', ['huge'], ['c'])], initializers: [huge(2 ** 40)] },
    ],
    [
      'ConstantOfShape 2^20 x 2^20',
      { nodes: [node('ConstantOfShape', ['huge'], ['c'])], initializers: [huge(2 ** 20, 2 ** 20)] },
    ],
    ['ConstantOfShape -1', { nodes: [node('ConstantOfShape', ['huge'], ['c'])], initializers: [huge(-1)] }],
    [
      'ConstantOfShape 2^63 - 1',
      { nodes: [node('ConstantOfShape', ['huge'], ['c'])], initializers: [huge(2n ** 63n - 1n)] },
    ],
    [
      'Range to 2^40',
      {
        nodes: [node('Range', ['zero', 'huge', 'one'], ['c'])],
        initializers: [int64s('zero', [0]), huge(2 ** 40), int64s('one', [1])],
      },
    ],
    [
      'Range without an end',
      {
        nodes: [node('Range', ['zero', 'huge', 'zero'], ['c'])],
        initializers: [int64s('zero', [0]), huge(1)],
      },
    ],
    [
      'Expand to 2^40',
      { nodes: [node('Expand', ['w', 'huge'], ['c'])], initializers: [floats('w', [1], [1]), huge(2 ** 40)] },
    ],
    [
      'Tile 2^40 times',
      { nodes: [node('Tile', ['w', 'huge'], ['c'])], initializers: [floats('w', [1], [1]), huge(2 ** 40)] },
    ],
  ];
  test.each(grow)('%s is refused before it is allocated', (_, parts) => {
    const use = node('Add', ['x', 'c'], ['y']);
    expect(run({ ...parts, nodes: [...parts.nodes, use] })).toMatch(/^E_ONNX_(FOLDING|GRAPH)$/);
  });

  test('doubling constants end at the limit of folding', () => {
    const nodes = Array.from({ length: 60 }, (_, i) =>
      node('Concat', [`c${i}`, `c${i}`], [`c${i + 1}`], [attribute.int('axis', 0)]),
    );
    const initializers = [floats('c0', [4], [1, 2, 3, 4])];
    expect(run({ nodes: [...nodes, node('Add', ['x', 'c60'], ['y'])], initializers })).toBe('E_ONNX_FOLDING');
  });

  test('folding that repeats over large constants ends at the limit of work', () => {
    const values = new Array<number>(1 << 16).fill(1);
    const nodes = Array.from({ length: 20_000 }, (_, i) => node('ReduceSum', ['big'], [`s${i}`]));
    const all = node('Sum', ['x', ...nodes.map((_, i) => `s${i}`)], ['y']);
    expect(run({ nodes: [...nodes, all], initializers: [floats('big', [values.length], values)] })).toBe(
      'E_ONNX_FOLDING',
    );
  });

  test('values that would be huge are refused', () => {
    const pad = node('Pad', ['x', 'pads'], ['y']);
    const initializers = [int64s('pads', [0, 0, 0, 0, 2 ** 40, 2 ** 40, 2 ** 40, 2 ** 40])];
    expect(run({ nodes: [pad], initializers })).toBe('E_ONNX_TOO_LARGE');
    const sizes = { inputs: [port('x', [2 ** 31, 2 ** 31])] };
    expect(run({ nodes: [node('Relu', ['x'], ['y'])], ...sizes })).toBe('E_ONNX_INPUT');
  });

  test('a constant of no elements but a huge size makes nothing huge', () => {
    const empty = { name: 'w', dims: [2 ** 26, 0], dataType: 1 };
    const gemm = node('Gemm', ['x', 'w'], ['y'], [attribute.int('transB', 1)]);
    expect(run({ nodes: [gemm], inputs: [port('x', [1, 4])], initializers: [empty] })).toMatch(ours);
    const conv = node('Conv', ['x', 'w'], ['y']);
    const filters = { name: 'w', dims: [2 ** 26, 3, 0, 1], dataType: 1 };
    expect(run({ nodes: [conv], initializers: [filters] })).toMatch(ours);
  });

  test('many nodes that share weights do not multiply them', () => {
    const weights = floats('w', [64, 3, 8, 8], new Array<number>(64 * 3 * 64).fill(0.5));
    const nodes = Array.from({ length: 2000 }, (_, i) => node('Conv', ['x', 'w'], [`v${i}`]));
    const all = node(
      'Sum',
      nodes.map((_, i) => `v${i}`),
      ['y'],
    );
    const { graph } = load(model({ nodes: [...nodes, all], initializers: [weights] }));
    expect([...graph.values.values()].filter(({ data }) => data)).toHaveLength(2);
  });

  test('calls that multiply empty or large functions end', () => {
    const opsets = [
      { domain: '', version: 17 },
      { domain: 'user', version: 1 },
    ];
    const calls = (callee: string, count: number) =>
      Array.from({ length: count }, () => node(callee, ['v'], [], [], { domain: 'user' }));
    const multiply = (last: Draft) => [
      ...Array.from({ length: 20 }, (_, i) => ({
        name: `f${i}`,
        domain: 'user',
        input: ['v'],
        node: calls(`f${i + 1}`, 10),
      })),
      { name: 'f20', domain: 'user', input: ['v'], ...last },
    ];
    const nodes = [node('f0', ['x'], [], [], { domain: 'user' }), node('Relu', ['x'], ['y'])];
    const big = node('Relu', ['v'], ['w'], [attribute.string('junk', 'j'.repeat(1 << 20))]);
    for (const last of [{ node: [] }, { node: [big] }]) {
      expect(run({ nodes, opsets, functions: multiply(last) })).toBe('E_ONNX_TOO_LARGE');
    }
  });

  test.each([
    ['PRelu', ['x', 'big']],
    ['Pow', ['x', 'big']],
    ['Div', ['x', 'big']],
    ['Gather', ['x', 'big']],
    ['Reshape', ['big', 'same']],
  ])('%s by a large constant, again and again, ends', (op, inputs) => {
    const count = 1 << 18;
    const nodes = Array.from({ length: 3000 }, (_, i) => node(op, inputs, [`v${i}`]));
    const all = node(
      'Sum',
      nodes.map((_, i) => `v${i}`),
      ['y'],
    );
    const big = floats('big', [count], new Array<number>(count).fill(1.5));
    const x = port('x', [1, count]);
    const initializers = [big, int64s('same', [count])];
    expect(run({ nodes: [...nodes, all], initializers, inputs: [x] })).toMatch(/^E_ONNX_/);
  });

  test('external data that many tensors share is not read without end', () => {
    const nodes = Array.from({ length: 100 }, (_, i) => node('Add', ['x', `w${i}`], [`v${i}`]));
    const initializers = nodes.map((_, i) => ({
      name: `w${i}`,
      dims: [1 << 23],
      dataType: 1,
      externalData: [{ key: 'location', value: 'w' }],
    }));
    const all = node(
      'Sum',
      nodes.map((_, i) => `v${i}`),
      ['y'],
    );
    const bytes = model({ nodes: [...nodes, all], initializers, inputs: [port('x', [1])] });
    const shared = new Uint8Array(1 << 25);
    const work = () => importOnnx(bytes, { fileName: 'net.onnx', readExternal: () => shared });
    expect(codeOf(work)).toMatch(/^E_ONNX_(TOO_LARGE|FOLDING)$/);
  });

  test('a long name is not repeated in every derived name', () => {
    const name = 'n'.repeat(1 << 20);
    const weights = floats('w', [64, 1, 1, 1], new Array<number>(64).fill(1));
    const split = node('Conv', [name, 'w'], ['y'], [attribute.int('group', 32)], { name });
    const { graph } = load(
      model({ nodes: [split], inputs: [port(name, [1, 32, 4, 4])], initializers: [weights] }),
    );
    const total = [...graph.values.keys()].reduce((sum, key) => sum + key.length, 0);
    expect(total).toBeLessThan(4 << 20);
  });
});
