import { beforeAll, describe, expect, it } from 'vitest';
import type { DecodedOptions, Encodable } from '../../../converter/formats/tflite/container/types.ts';
import { writeFlatbuffer } from '../../../converter/formats/tflite/container/write.ts';
import { importTflite } from '../../../converter/formats/tflite/import.ts';
import { builtinCode, optionsOf } from '../../../converter/formats/tflite/operators.ts';
import { type TensorTypeName, tensorTypes } from '../../../converter/formats/tflite/schema.ts';
import { writeTflite } from '../../../converter/formats/tflite/write.ts';
import { bytesOf, elementCount } from '../../../converter/ir/tensor.ts';
import type { TensorData } from '../../../converter/ir/types.ts';
import { verify } from '../../../converter/ir/verify.ts';
import { opRules } from '../../../converter/ops/rules.ts';
import { randomFloats } from '../../support/graphs.ts';
import { oraclePython } from '../../support/oracle.ts';
import { type RuntimeAnswer, runRuntime } from './runtimes.ts';

type Options = Readonly<Record<string, number | boolean | Int32Array>>;

/** Writes files in forms that other converters use and ours does not. */
class FileBuilder {
  private readonly tensors: Encodable<'Tensor'>[] = [];
  private readonly buffers: Encodable<'Buffer'>[] = [{}];
  private readonly operators: Encodable<'Operator'>[] = [];
  private readonly codes: Encodable<'OperatorCode'>[] = [];

  tensor(
    type: TensorTypeName,
    shape: readonly number[],
    data?: TensorData | Uint16Array,
    scale?: readonly number[],
  ) {
    const buffer = data ? this.buffers.push({ data: bytesOf(data as TensorData) }) - 1 : 0;
    const quantization = scale && {
      scale: Float32Array.from(scale),
      zeroPoint: new BigInt64Array(scale.length),
    };
    const index = this.tensors.length;
    const fields = { name: `t${index}`, type: tensorTypes.indexOf(type), buffer };
    this.tensors.push({
      ...fields,
      shape: Int32Array.from(shape),
      ...(quantization ? { quantization } : {}),
    });
    return index;
  }

  float(...shape: number[]): number {
    return this.tensor('float32', shape);
  }

  weights(...shape: number[]): number {
    return this.tensor('float32', shape, randomFloats(elementCount(shape), this.tensors.length + 3));
  }

  ints(...numbers: number[]): number {
    return this.tensor('int32', [numbers.length], Int32Array.from(numbers));
  }

  op(builtin: string, version: number, inputs: number[], output: number, options?: Options): void {
    const code = builtinCode(builtin);
    this.codes.push({ deprecatedBuiltinCode: code, builtinCode: code, version });
    const table = optionsOf(builtin)?.table;
    const value = options as DecodedOptions['value'];
    this.operators.push({
      opcodeIndex: this.codes.length - 1,
      inputs: Int32Array.from(inputs),
      outputs: Int32Array.of(output),
      ...(table && options ? { builtinOptions: { table, value } } : {}),
    });
  }

  finish(inputs: number[], outputs: number[]): Uint8Array {
    return writeFlatbuffer({
      version: 3,
      operatorCodes: this.codes,
      buffers: this.buffers,
      subgraphs: [
        {
          tensors: this.tensors,
          operators: this.operators,
          inputs: Int32Array.from(inputs),
          outputs: Int32Array.from(outputs),
        },
      ],
    });
  }
}

/** A file with one operator from one float tensor to another. */
function single(
  builtin: string,
  version: number,
  from: number[],
  to: number[],
  more: (f: FileBuilder) => number[],
  options?: Options,
): () => Uint8Array {
  return () => {
    const f = new FileBuilder();
    const x = f.float(...from);
    const y = f.float(...to);
    f.op(builtin, version, [x, ...more(f)], y, options);
    return f.finish([x], [y]);
  };
}

const strided = (
  to: number[],
  lists: [number[], number[], number[]],
  masks: Record<string, number>,
  version = 1,
) =>
  single('STRIDED_SLICE', version, [2, 6, 5], to, (f) => lists.map((list) => f.ints(...list)), {
    beginMask: 0,
    endMask: 0,
    ellipsisMask: 0,
    newAxisMask: 0,
    shrinkAxisMask: 0,
    ...masks,
  });

const halves = (data: Float32Array) =>
  Uint16Array.from(data, (x) => {
    // Multiples of 1/128 below 1 are exact in half precision.
    if (x === 0) return 0;
    const exponent = Math.floor(Math.log2(Math.abs(x)));
    const fraction = Math.round((Math.abs(x) / 2 ** exponent - 1) * 1024);
    return (x < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | fraction;
  });

const forms: readonly (readonly [string, string[], () => Uint8Array])[] = [
  [
    'SQUEEZE',
    ['reshape'],
    single('SQUEEZE', 1, [1, 4, 1, 3], [4, 3], () => [], { squeezeDims: Int32Array.of(0, -2) }),
  ],
  ['EXPAND_DIMS', ['reshape'], single('EXPAND_DIMS', 1, [4, 3], [4, 1, 3], (f) => [f.ints(1)], {})],
  ['RESHAPE with an unknown axis', ['reshape'], single('RESHAPE', 1, [2, 6], [3, 4], (f) => [f.ints(-1, 4)])],
  [
    'RESHAPE by its option alone',
    ['reshape'],
    single('RESHAPE', 1, [2, 6], [4, 3], () => [], { newShape: Int32Array.of(4, -1) }),
  ],
  [
    'MEAN with axes from the end',
    ['mean'],
    single('MEAN', 1, [2, 3, 4], [2, 1, 4], (f) => [f.ints(-2)], { keepDims: true }),
  ],
  [
    'CONCATENATION of one tensor, axis from the end',
    ['concatenation'],
    single('CONCATENATION', 1, [2, 3], [2, 3], () => [], { axis: -1 }),
  ],
  ['SLICE to the end', ['slice'], single('SLICE', 1, [4, 5], [3, 2], (f) => [f.ints(1, 2), f.ints(-1, 2)])],
  [
    'STRIDED_SLICE with ends counted from the back',
    ['slice'],
    strided(
      [1, 2, 3],
      [
        [0, -3, 1],
        [1, -1, 4],
        [1, 1, 1],
      ],
      {},
    ),
  ],
  [
    'STRIDED_SLICE with open begins and ends',
    ['slice'],
    strided(
      [2, 3, 2],
      [
        [1, 0, 9],
        [0, 9, 2],
        [1, 2, 1],
      ],
      { beginMask: 5, endMask: 3 },
    ),
  ],
  [
    'STRIDED_SLICE of fewer axes',
    ['slice'],
    strided([1, 6, 5], [[1], [2], [1]] as [number[], number[], number[]], {}),
  ],
  [
    'STRIDED_SLICE that drops axes',
    ['slice', 'reshape'],
    strided(
      [6],
      [
        [1, 0, -1],
        [2, 6, 9],
        [1, 1, 1],
      ],
      { shrinkAxisMask: 5 },
    ),
  ],
  [
    'STRIDED_SLICE with ellipsis',
    ['slice'],
    strided(
      [2, 6, 2],
      [
        [0, 1],
        [0, 3],
        [1, 1],
      ] as [number[], number[], number[]],
      { ellipsisMask: 1 },
      6,
    ),
  ],
  [
    'STRIDED_SLICE that inserts an axis',
    ['slice', 'reshape'],
    strided(
      [1, 1, 6, 5],
      [
        [0, 1, 0, 0],
        [0, 2, 6, 5],
        [1, 1, 1, 1],
      ],
      { newAxisMask: 1 },
      6,
    ),
  ],
  [
    'FULLY_CONNECTED of an image',
    ['reshape', 'fullyConnected'],
    single('FULLY_CONNECTED', 1, [1, 2, 2, 3], [1, 5], (f) => [f.weights(5, 12), f.weights(5)], {}),
  ],
  [
    'FULLY_CONNECTED that joins the leading axes',
    ['reshape', 'fullyConnected'],
    single('FULLY_CONNECTED', 1, [2, 2, 3], [4, 5], (f) => [f.weights(5, 3), f.weights(5)], {}),
  ],
  [
    'FULLY_CONNECTED without bias',
    ['fullyConnected'],
    single('FULLY_CONNECTED', 6, [1, 3], [1, 5], (f) => [f.weights(5, 3), -1], {}),
  ],
  [
    'CONV_2D with weights in half precision',
    ['conv2d'],
    () => {
      const f = new FileBuilder();
      const x = f.float(1, 4, 4, 2);
      const half = f.tensor('float16', [3, 1, 1, 2], halves(randomFloats(6, 5)));
      const weights = f.float(3, 1, 1, 2);
      const y = f.float(1, 4, 4, 3);
      f.op('DEQUANTIZE', 3, [half], weights);
      f.op('CONV_2D', 1, [x, weights, f.weights(3)], y, { padding: 0, strideW: 1, strideH: 1 });
      return f.finish([x], [y]);
    },
  ],
  [
    'ADD of an integer constant made real',
    ['add'],
    () => {
      const f = new FileBuilder();
      const x = f.float(2, 3);
      const stored = f.tensor('int8', [2, 3], Int8Array.of(-128, -3, 0, 1, 77, 127), [0.125]);
      const real = f.float(2, 3);
      const y = f.float(2, 3);
      f.op('DEQUANTIZE', 2, [stored], real);
      f.op('ADD', 1, [x, real], y, { fusedActivationFunction: 1 });
      return f.finish([x], [y]);
    },
  ],
  [
    'a constant made real as the output',
    [],
    () => {
      const f = new FileBuilder();
      const x = f.float(1, 2);
      const stored = f.tensor('int8', [2], Int8Array.of(5, -7), [0.5]);
      const y = f.float(2);
      f.op('DEQUANTIZE', 2, [stored], y);
      return f.finish([x], [y]);
    },
  ],
  [
    'uint8 on the way to int8',
    ['quantize', 'quantize', 'dequantize'],
    () => {
      const f = new FileBuilder();
      const x = f.float(2, 3);
      const a = f.tensor('uint8', [2, 3], undefined, [1 / 64]);
      const b = f.tensor('int8', [2, 3], undefined, [1 / 32]);
      const y = f.float(2, 3);
      f.op('QUANTIZE', 1, [x], a);
      f.op('QUANTIZE', 1, [a], b);
      f.op('DEQUANTIZE', 2, [b], y);
      return f.finish([x], [y]);
    },
  ],
  [
    'float in, int8 within, float out',
    ['quantize', 'relu', 'dequantize'],
    () => {
      const f = new FileBuilder();
      const x = f.float(2, 3);
      const a = f.tensor('int8', [2, 3], undefined, [1 / 64]);
      const b = f.tensor('int8', [2, 3], undefined, [1 / 64]);
      const y = f.float(2, 3);
      f.op('QUANTIZE', 1, [x], a);
      f.op('RELU', 2, [a], b);
      f.op('DEQUANTIZE', 2, [b], y);
      return f.finish([x], [y]);
    },
  ],
];

const python = oraclePython();
const graphOf = (bytes: Uint8Array) => importTflite(bytes, { fileName: 'foreign.tflite' }).graph;

describe('forms that other converters write', () => {
  it.each(forms)('%s', (_, ops, build) => {
    const graph = graphOf(build());
    verify(graph, 'typed', opRules);
    expect(graph.nodes.map((node) => node.op)).toEqual(ops);
  });

  // LiteRT itself refuses the first and crashes on the second.
  it.each([
    ['CONV_2D', [4, 3, 3, 2]],
    ['DEPTHWISE_CONV_2D', [1, 3, 3, 4]],
  ])('%s without bias has one of zeros', (builtin, shape) => {
    const options = { padding: 1, strideW: 1, strideH: 1 };
    const build = single(builtin, 1, [1, 5, 5, 2], [1, 3, 3, 4], (f) => [f.weights(...shape)], options);
    const graph = graphOf(build());
    verify(graph, 'typed', opRules);
    expect(graph.values.get(graph.nodes[0]!.inputs[2]!)!.data).toEqual(new Float32Array(4));
  });

  it('gives an absent int8 bias the scale of the products', () => {
    const f = new FileBuilder();
    const x = f.tensor('int8', [1, 2], undefined, [0.5]);
    const weights = f.tensor('int8', [3, 2], new Int8Array(6).fill(3), [0.25]);
    const y = f.tensor('int8', [1, 3], undefined, [1]);
    f.op('FULLY_CONNECTED', 6, [x, weights], y, {});
    const graph = graphOf(f.finish([x], [y]));
    const bias = graph.values.get(graph.nodes[0]!.inputs[2]!)!;
    expect(bias.type).toEqual({ dtype: 'int32', shape: [3], quant: { scale: [0.125], zeroPoint: [0] } });
    expect(bias.data).toEqual(new Int32Array(3));
  });

  it.each([
    [
      'backwards',
      [
        [0, 5, 0],
        [2, 0, 5],
        [1, -1, 1],
      ],
      {},
      /stride -1/,
    ],
    [
      'of more axes than there are',
      [
        [0, 0, 0, 0],
        [1, 1, 1, 1],
        [1, 1, 1, 1],
      ],
      {},
      /more entries than the 3 axes/,
    ],
    [
      'of nothing',
      [
        [0, 4, 0],
        [2, 2, 5],
        [1, 1, 1],
      ],
      {},
      /attribute size|declares/,
    ],
  ] as const)('STRIDED_SLICE %s is refused by name', (_, lists, masks, text) => {
    const build = strided([2, 6, 5], lists.map((list) => [...list]) as [number[], number[], number[]], masks);
    expect(() => graphOf(build())).toThrow(text);
  });
});

describe.skipIf(!python)('their meaning in LiteRT (skipped without the Python oracle)', () => {
  let original: RuntimeAnswer[] = [];
  let ours: RuntimeAnswer[] = [];
  beforeAll(() => {
    const inputs = (bytes: Uint8Array) =>
      graphOf(bytes).inputs.map((port, i) => randomFloats(elementCount(port.shape), 40 + i));
    const files = forms.map(([, , build]) => build());
    original = runRuntime(
      python!,
      'litert',
      files.map((model) => ({ model, inputs: inputs(model) })),
    );
    ours = runRuntime(
      python!,
      'litert',
      files.map((model) => ({ model: writeTflite(graphOf(model)), inputs: inputs(model) })),
    );
  });

  it.each(forms.map(([name], i) => [name, i] as const))('%s', (_, i) => {
    expect(original[i]!.error).toBeUndefined();
    expect(ours[i]!.error).toBeUndefined();
    expect(ours[i]!.outputs).toEqual(original[i]!.outputs);
  });
});
