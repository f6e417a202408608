import { describe, expect, it } from 'vitest';
import { TinymlError } from '../../../common/tinyml-error.ts';
import { readFlatbuffer } from '../../../converter/formats/tflite/container/read.ts';
import type { Encodable } from '../../../converter/formats/tflite/container/types.ts';
import type {
  Model,
  Quantization,
  SubGraph,
  Tensor,
} from '../../../converter/formats/tflite/container/verify.ts';
import { writeFlatbuffer } from '../../../converter/formats/tflite/container/write.ts';
import { importTflite } from '../../../converter/formats/tflite/import.ts';
import { writeTflite } from '../../../converter/formats/tflite/write.ts';
import { verify } from '../../../converter/ir/verify.ts';
import { opRules } from '../../../converter/ops/rules.ts';
import { smallFloat, smallInt8 } from './small-model.ts';

type Operator = SubGraph['operators'][number];
type Change = (model: Model) => Encodable<'Model'>;

const bytes = writeTflite(await smallInt8());
const model = readFlatbuffer(bytes, 'small.tflite');
const graph = model.subgraphs[0]!;
const operatorOf = (builtin: number) =>
  graph.operators.findIndex((operator) => model.operatorCodes[operator.opcodeIndex]!.builtinCode === builtin);

const [conv, pool, reshape, dense] = [operatorOf(3), operatorOf(1), operatorOf(22), operatorOf(9)];
const [input, output] = [graph.inputs[0]!, graph.outputs[0]!];
const [weights, bias] = [graph.operators[conv]!.inputs[1]!, graph.operators[conv]!.inputs[2]!];
const shapeTensor = graph.operators[reshape]!.inputs[1]!;

const replaced = <T>(list: readonly T[], at: number, change: Partial<T>) =>
  list.map((one, i) => (i === at ? { ...one, ...change } : one));
const withGraph =
  (change: Partial<SubGraph>): Change =>
  (m) => ({ ...m, subgraphs: [{ ...m.subgraphs[0]!, ...change }] });
const withTensor = (at: number, change: Partial<Tensor>): Change =>
  withGraph({ tensors: replaced(graph.tensors, at, change) });
const withOperator = (at: number, change: Partial<Operator>): Change =>
  withGraph({ operators: replaced(graph.operators, at, change) });
const withQuantization = (at: number, change: Partial<Quantization>): Change =>
  withTensor(at, { quantization: { ...graph.tensors[at]!.quantization!, ...change } });
const withOptions = (at: number, change: Record<string, number | boolean>): Change => {
  const { table, value } = graph.operators[at]!.builtinOptions!;
  return withOperator(at, { builtinOptions: { table, value: { ...value, ...change } } });
};
const withCode = (change: Partial<Model['operatorCodes'][number]>): Change => {
  const at = graph.operators[conv]!.opcodeIndex;
  return (m) => ({ ...m, operatorCodes: replaced(m.operatorCodes, at, change) });
};

/** Each change to a good model, with what the message must name. */
const killers: readonly (readonly [string, Change, RegExp])[] = [
  ['a schema of another version', (m) => ({ ...m, version: 2 }), /version is 2/],
  ['no graph', (m) => ({ ...m, subgraphs: [] }), /subgraphs is empty/],
  ['two graphs', (m) => ({ ...m, subgraphs: [graph, graph] }), /subgraphs has 2 graphs/],
  ['no tensors', withGraph({ tensors: [] }), /subgraphs\[0\]\.tensors is empty/],
  ['no outputs', withGraph({ outputs: new Int32Array(0) }), /outputs is empty/],
  ['an input beyond the tensors', withGraph({ inputs: Int32Array.of(99) }), /inputs\[0\] is tensor 99/],
  ['a negative output', withGraph({ outputs: Int32Array.of(-1) }), /outputs\[0\] is tensor -1/],
  ['an output nobody makes', withGraph({ operators: [] }), /is an output of the graph but nothing makes it/],
  [
    'an input twice',
    withGraph({ inputs: Int32Array.of(input, input) }),
    /inputs\[1\] is constant or a second/,
  ],
  ['a constant as input', withGraph({ inputs: Int32Array.of(weights) }), /inputs\[0\] is constant/],
  ['buffer out of range', withTensor(weights, { buffer: 65535 }), /tensors\[\d+\]\.buffer is 65535/],
  [
    'a buffer of another length',
    withTensor(weights, { buffer: graph.tensors[bias]!.buffer }),
    /holds 16 bytes/,
  ],
  ['an unknown type', withTensor(input, { type: 77 }), /type is 77/],
  ['a text tensor', withTensor(input, { type: 5 }), /"image" is string/],
  ['int4 weights of whole bytes', withTensor(weights, { type: 17 }), /bytes for \d+ elements of 4 bits/],
  ['nine axes', withTensor(input, { shape: new Int32Array(9).fill(1) }), /shape has 9 axes/],
  ['a negative size', withTensor(input, { shape: Int32Array.of(1, -6, 6, 2) }), /shape\[1\] is -6/],
  [
    'a size of zero',
    withTensor(input, { shape: Int32Array.of(1, 0, 6, 2) }),
    /"image" has shape \[1,0,6,2\]/,
  ],
  [
    'sizes that overflow',
    withTensor(input, { shape: Int32Array.of(65536, 65536, 65536, 65536) }),
    /shape \[65536,65536,65536,65536\] has more than/,
  ],
  [
    'an input of another shape',
    withTensor(input, { shape: Int32Array.of(1, 6, 6, 3) }),
    /CONV_2D .* differ in Ci/,
  ],
  ['a wrong declared shape', withTensor(output, { shape: Int32Array.of(1, 4) }), /declares int8\[1,4\]/],
  [
    'an unknown height',
    withTensor(input, { shapeSignature: Int32Array.of(-1, -1, 6, 2) }),
    /"image" has an unknown size on axis 1/,
  ],
  ['a state variable', withTensor(input, { isVariable: true }), /is a variable/],
  ['an external tensor', withTensor(weights, { externalBuffer: 1 }), /another file/],
  ['a sparse tensor', withTensor(weights, { sparsity: {} }), /sparse/],
  [
    'data outside the flatbuffer',
    (m) => ({ ...m, buffers: replaced(m.buffers, 1, { offset: 4096n, size: 16n }) }),
    /buffers\[1\] keeps its data outside/,
  ],
  [
    'a scale of zero',
    withQuantization(input, { scale: Float32Array.of(0) }),
    /quantization\.scale\[0\] is 0/,
  ],
  [
    'a scale that is NaN',
    withQuantization(input, { scale: Float32Array.of(Number.NaN) }),
    /scale\[0\] is NaN/,
  ],
  [
    'an infinite scale of one channel',
    withQuantization(weights, { scale: Float32Array.of(1, 1, Number.POSITIVE_INFINITY, 1) }),
    /scale\[2\] is Infinity/,
  ],
  ['a negative scale', withQuantization(output, { scale: Float32Array.of(-1) }), /scale\[0\] is -1/],
  [
    'two scales for one tensor',
    withQuantization(input, { scale: Float32Array.of(1, 2) }),
    /scale has 2 numbers/,
  ],
  [
    'three zero points for four scales',
    withQuantization(weights, { zeroPoint: BigInt64Array.of(0n, 0n, 0n) }),
    /zeroPoint has 3 numbers/,
  ],
  [
    'a zero point beyond int8',
    withQuantization(input, { zeroPoint: BigInt64Array.of(200n) }),
    /zeroPoint\[0\] is 200 for int8/,
  ],
  [
    'a zero point beyond 64 bits of sense',
    withQuantization(input, { zeroPoint: BigInt64Array.of(2n ** 62n) }),
    /zeroPoint\[0\] is 4611686018427387904/,
  ],
  [
    'a zero point of the bias',
    withQuantization(bias, { zeroPoint: BigInt64Array.of(0n, 1n, 0n, 0n) }),
    /\[1\] is 1/,
  ],
  ['scales along no axis', withQuantization(weights, { quantizedDimension: 7 }), /quantizedDimension is 7/],
  [
    'scales along a negative axis',
    withQuantization(weights, { quantizedDimension: -1 }),
    /quantizedDimension is -1/,
  ],
  [
    'a blockwise quantization',
    withQuantization(weights, { detailsType: 2 }),
    /quantization beside one scale/,
  ],
  [
    'weights with a zero point',
    withQuantization(weights, { zeroPoint: new BigInt64Array(4).fill(3n) }),
    /CONV_2D .* zero point other than 0/,
  ],
  ['no scales at all', withTensor(output, { quantization: undefined }), /int8 without a scale/],
  [
    'an operator code beyond the list',
    withOperator(conv, { opcodeIndex: 9 }),
    /operators\[0\]\.opcodeIndex is 9/,
  ],
  [
    'an input index beyond the list',
    withOperator(conv, { inputs: Int32Array.of(0, 1, 99) }),
    /inputs\[2\] is tensor 99/,
  ],
  [
    'an input index below -1',
    withOperator(conv, { inputs: Int32Array.of(-2, 1, 2) }),
    /inputs\[0\] is tensor -2/,
  ],
  ['a missing input', withOperator(conv, { inputs: Int32Array.of(-1, weights, bias) }), /input 0 is missing/],
  ['no inputs', withOperator(conv, { inputs: new Int32Array(0) }), /input 0 is missing/],
  [
    'no outputs of an operator',
    withOperator(conv, { outputs: new Int32Array(0) }),
    /operators\[0\]\.outputs has 0/,
  ],
  [
    'an operator that makes a constant',
    withOperator(conv, { outputs: Int32Array.of(weights) }),
    /already made/,
  ],
  ['an operator that makes the input', withOperator(pool, { outputs: Int32Array.of(input) }), /already made/],
  [
    'a cycle',
    withOperator(conv, { inputs: Int32Array.of(output, weights, bias) }),
    /is read by subgraphs\[0\]\.operators\[0\] \(CONV_2D\) but nothing makes it before/,
  ],
  [
    'operators out of order',
    withGraph({ operators: [...graph.operators].reverse() }),
    /is read by .* but nothing makes it before/,
  ],
  ['computed weights', withOperator(dense, { inputs: Int32Array.of(bias, input) }), /FULLY_CONNECTED/],
  ['a stride of zero', withOptions(conv, { strideW: 0 }), /CONV_2D .* strideW is 0/],
  ['a negative stride', withOptions(pool, { strideH: -1 }), /AVERAGE_POOL_2D .* strideH is -1/],
  ['a stride of 0x10000', withOptions(conv, { strideH: 0x10000 }), /strideH is 65536/],
  ['a dilation of zero', withOptions(conv, { dilationWFactor: 0 }), /dilationWFactor is 0/],
  ['a window of zero', withOptions(pool, { filterWidth: 0 }), /filterWidth is 0/],
  ['a window beyond the input', withOptions(pool, { filterWidth: 60000, padding: 1 }), /AVERAGE_POOL_2D/],
  ['an unknown padding', withOptions(conv, { padding: 5 }), /padding is 5/],
  ['an unknown activation', withOptions(conv, { fusedActivationFunction: 4 }), /fusedActivationFunction 4/],
  ['shuffled weights', withOptions(dense, { weightsFormat: 1 }), /weightsFormat/],
  [
    'options of another operator',
    withOperator(conv, { builtinOptions: graph.operators[pool]!.builtinOptions }),
    /Pool2DOptions, not Conv2DOptions/,
  ],
  [
    'a reshape to another number of elements',
    withTensor(shapeTensor, {
      buffer: model.buffers.length - 1,
      shape: Int32Array.of(1),
    }),
    /buffer holds|RESHAPE/,
  ],
  [
    'a custom operator',
    withCode({ deprecatedBuiltinCode: 32, builtinCode: 32, customCode: 'Mine' }),
    /CUSTOM "Mine"/,
  ],
  [
    'an operator newer than the list',
    withCode({ deprecatedBuiltinCode: 127, builtinCode: 9999 }),
    /BUILTIN_9999/,
  ],
  ['CALL_ONCE', withCode({ deprecatedBuiltinCode: 127, builtinCode: 129 }), /CALL_ONCE/],
  ['WHILE', withCode({ deprecatedBuiltinCode: 119, builtinCode: 119 }), /WHILE/],
  ['a negative operator code', withCode({ deprecatedBuiltinCode: -3, builtinCode: -3 }), /BUILTIN_-3/],
];

function failure(damaged: Uint8Array): TinymlError {
  try {
    importTflite(damaged, { fileName: 'small.tflite' });
  } catch (error) {
    if (error instanceof TinymlError) return error;
    throw error;
  }
  throw new Error('the damage was not noticed');
}

describe('a model with one impossible field', () => {
  it('is sound before the change', () => {
    verify(importTflite(writeFlatbuffer(model), { fileName: 'small.tflite' }).graph, 'quantized', opRules);
  });

  it.each(killers)('%s', (_, change, text) => {
    const error = failure(writeFlatbuffer(change(model)));
    expect(error.message).toMatch(text);
    expect(error.message).toContain('small.tflite');
    expect(error).toMatchObject({ exit: 1 });
    expect(error.code).toMatch(/^E_(TFLITE|MODEL)_/);
    expect(error.message.length).toBeLessThan(1000);
  });
});

describe('bytes that are no TFLite model', () => {
  const text = (s: string) => new TextEncoder().encode(s);
  it.each([
    ['nothing', new Uint8Array(0)],
    ['seven bytes', new Uint8Array(7)],
    ['a PNG', Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0)],
    ['text', text('#!/usr/bin/env python')],
    ['zeros', new Uint8Array(4096)],
  ])('%s', (_, data) => {
    expect(failure(data)).toMatchObject({ code: 'E_TFLITE_FORMAT', exit: 1 });
  });

  it.each([
    ['only an identifier', [0x18, 0, 0, 0, 0x54, 0x46, 0x4c, 0x33]],
    ['a root that is itself', [0, 0, 0, 0, 0x54, 0x46, 0x4c, 0x33, 0, 0, 0, 0]],
    ['a field list before the file', [8, 0, 0, 0, 0x54, 0x46, 0x4c, 0x33, 0xff, 0xff, 0xff, 0x7f]],
    ['a field list that is its own table', [8, 0, 0, 0, 0x54, 0x46, 0x4c, 0x33, 0, 0, 0, 0, 0, 0, 0, 0]],
  ])('%s', (_, data) => {
    expect(failure(Uint8Array.from(data))).toMatchObject({ code: 'E_TFLITE_DAMAGED', exit: 1 });
  });
});

describe('names that programs stumble over', () => {
  const prototypeNames = Object.getOwnPropertyNames(Object.prototype);
  const names = [
    '__proto__',
    'constructor',
    'hasOwnProperty',
    '',
    'a\u0000b',
    '\u202egnp',
    '😀',
    'x'.repeat(1 << 20),
  ];
  it.each(names.map((name) => [name.slice(0, 20), name] as const))('%j for every tensor', (_, name) => {
    const renamed = withGraph({ tensors: graph.tensors.map((tensor) => ({ ...tensor, name })), name })(model);
    const small = name.length < 1000 ? renamed : withTensor(conv, { name })(model);
    const read = importTflite(writeFlatbuffer(small), { fileName: 'small.tflite' }).graph;
    verify(read, 'quantized', opRules);
    expect(read.values.size).toBe(graph.tensors.length - 1);
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(prototypeNames);
    const written = readFlatbuffer(writeTflite(read), 'again.tflite');
    expect(written.buffers.map(({ data }) => [...data])).toEqual(model.buffers.map(({ data }) => [...data]));
  });
});

describe('a small file that would grow', () => {
  it('is refused when tables share their parts', () => {
    const many = Array.from({ length: 4 }, () => graph.tensors).flat();
    const honest = writeFlatbuffer(withGraph({ tensors: many })(model));
    expect(() => importTflite(honest, { fileName: 'honest.tflite' })).not.toThrow();
    // Every element of the list of tensors is made to point at the first one, whose name is long.
    const big = writeFlatbuffer(
      withGraph({
        tensors: [{ ...graph.tensors[0]!, name: 'x'.repeat(200_000) }, ...graph.tensors.slice(1)],
      })(model),
    );
    const view = new DataView(big.buffer);
    const target = findTensors(view);
    for (let i = 1; i < target.count; i++) view.setUint32(target.at + 4 * i, target.first - 4 * i, true);
    expect(failure(big)).toMatchObject({ code: 'E_TFLITE_DAMAGED' });
  });

  it('is refused when tensors decode one buffer again and again', () => {
    const elements = 200_000;
    const weightsOf = (i: number) => ({
      shape: Int32Array.of(elements, 1),
      type: 9,
      buffer: 1,
      name: `w${i}`,
      quantization: { scale: Float32Array.of(1), zeroPoint: BigInt64Array.of(0n) },
    });
    const count = 64;
    const tensors = Array.from({ length: count }, (_, i) => weightsOf(i));
    const inputs = Array.from({ length: count }, (_, i) => ({
      ...floatTensor(`x${i}`, [1, 1]),
    }));
    const results = Array.from({ length: count }, (_, i) => floatTensor(`y${i}`, [1, elements]));
    const operators = Array.from({ length: count }, (_, i) => ({
      inputs: Int32Array.of(i, count + i, -1),
      outputs: Int32Array.of(2 * count + i),
    }));
    const bomb = writeFlatbuffer({
      version: 3,
      operatorCodes: [{ deprecatedBuiltinCode: 9, builtinCode: 9 }],
      subgraphs: [
        {
          tensors: [...inputs, ...tensors, ...results],
          inputs: Int32Array.from({ length: count }, (_, i) => i),
          outputs: Int32Array.of(2 * count),
          operators,
        },
      ],
      buffers: [{}, { data: new Uint8Array(elements) }],
    });
    expect(failure(bomb).message).toContain('share one buffer too often');
  });

  it('reads a chain of 20000 operators', () => {
    const length = 20_000;
    const chain = writeFlatbuffer({
      version: 3,
      operatorCodes: [{ deprecatedBuiltinCode: 19, builtinCode: 19 }],
      subgraphs: [
        {
          tensors: Array.from({ length: length + 1 }, () => floatTensor('same', [1, 4])),
          inputs: Int32Array.of(0),
          outputs: Int32Array.of(length),
          operators: Array.from({ length }, (_, i) => ({
            inputs: Int32Array.of(i),
            outputs: Int32Array.of(i + 1),
          })),
        },
      ],
      buffers: [{}],
    });
    const { graph: read } = importTflite(chain, { fileName: 'chain.tflite' });
    expect(read.nodes.length).toBe(length);
    expect(read.values.size).toBe(length + 1);
  });
});

function floatTensor(name: string, shape: readonly number[]): Encodable<'Tensor'> {
  return { name, shape: Int32Array.from(shape) };
}

/** Where the list of tensors of the first graph stands, by following the file's own offsets. */
function findTensors(view: DataView): { at: number; count: number; first: number } {
  const follow = (at: number) => at + view.getUint32(at, true);
  const field = (table: number, id: number) =>
    table + view.getUint16(table - view.getInt32(table, true) + 4 + 2 * id, true);
  const subgraphs = follow(field(follow(0), 2));
  const tensors = follow(field(follow(subgraphs + 4), 0));
  return { at: tensors + 4, count: view.getUint32(tensors, true), first: view.getUint32(tensors + 4, true) };
}

describe('a float model', () => {
  it('may carry meaningless scales on float tensors', () => {
    const float = readFlatbuffer(writeTflite(smallFloat()), 'float.tflite');
    const [first] = float.subgraphs;
    const quantization = { scale: Float32Array.of(0), zeroPoint: BigInt64Array.of(99999n) };
    const tensors = first!.tensors.map((tensor) =>
      tensor.type === 0 ? { ...tensor, quantization } : tensor,
    );
    const odd = writeFlatbuffer({ ...float, subgraphs: [{ ...first!, tensors }] });
    const { graph: read } = importTflite(odd, { fileName: 'float.tflite' });
    expect([...read.values.values()].filter((value) => value.type.quant)).toEqual([]);
  });
});
