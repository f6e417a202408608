import { attribute, floats, int64s, model, node, port } from './models.ts';

function ramp(count: number): number[] {
  return Array.from({ length: count }, (_, i) => ((i * 7) % 13) / 13 - 0.5);
}

const kernel = (size: number) => attribute.ints('kernel_shape', [size, size]);

const leaky = {
  name: 'Leaky',
  domain: 'user',
  input: ['v'],
  output: ['w'],
  attribute: ['alpha'],
  opsetImport: [{ domain: '', version: 17 }],
  node: [node('LeakyRelu', ['v'], ['w'], [attribute.reference('alpha', 'alpha', 1)])],
};

const thenBranch = { node: [node('Tanh', ['f'], ['t'])], output: [port('t', [])] };
const elseBranch = { node: [node('Abs', ['f'], ['t'])], output: [port('t', [])] };

/** A small model in which every kind of message, tensor storage and lowering occurs: a seed for damage. */
export function everyFeature(): Uint8Array {
  return model({
    inputs: [port('x', ['batch', 2, 8, 8])],
    outputs: [port('y', ['batch', 3])],
    opsets: [
      { domain: '', version: 17 },
      { domain: 'user', version: 1 },
    ],
    functions: [leaky],
    initializers: [
      floats('w1', [4, 2, 3, 3], ramp(72)),
      floats('b1', [4], ramp(4)),
      { name: 'w2', dims: [4, 1, 3, 3], dataType: 1, floatData: ramp(36) },
      { name: 'w3', dims: [3, 16], dataType: 3, int32Data: ramp(48).map((value) => Math.round(value * 100)) },
      { name: 'scale', dims: [], dataType: 1, floatData: [0.01] },
      { name: 'half', dims: [4], dataType: 10, int32Data: [0x3c00, 0x3800, 0x4000, 0x3c00] },
      { name: 'double', dims: [4], dataType: 11, doubleData: [0.1, 0.2, 0.3, 0.4] },
      floats('mean', [4], ramp(4)),
      floats('variance', [4], [1, 2, 3, 4]),
      int64s('pads', [0, 0, 1, 1, 0, 0, 1, 1]),
      int64s('starts', [0]),
      int64s('ends', [2 ** 40]),
      int64s('axes', [3]),
      int64s('steps', [2]),
      int64s('first', [0]),
      int64s('rest', [-1]),
      { name: 'yes', dims: [], dataType: 9, int32Data: [1] },
    ],
    nodes: [
      node('Pad', ['x', 'pads'], ['padded'], [attribute.string('mode', 'constant')]),
      node('Conv', ['padded', 'w1', 'b1'], ['c1'], [kernel(3), attribute.ints('strides', [1, 1])]),
      node('BatchNormalization', ['c1', 'half', 'double', 'mean', 'variance'], ['n1']),
      node('Clip', ['n1'], ['r1'], []),
      node(
        'Conv',
        ['r1', 'w2'],
        ['c2'],
        [attribute.int('group', 4), attribute.string('auto_pad', 'SAME_UPPER')],
      ),
      node('Leaky', ['c2'], ['l'], [attribute.float('alpha', 0.1)], { domain: 'user', name: 'leaky' }),
      node('Add', ['l', 'r1'], ['sum']),
      node('MaxPool', ['sum'], ['p'], [kernel(2), attribute.ints('strides', [2, 2])]),
      node('AveragePool', ['p'], ['a'], [kernel(2), attribute.int('ceil_mode', 1)]),
      node('Slice', ['a', 'starts', 'ends', 'axes', 'steps'], ['s']),
      node('Transpose', ['s'], ['u'], [attribute.ints('perm', [0, 1, 3, 2])]),
      node('Split', ['u'], ['u1', 'u2'], [attribute.int('axis', 1)]),
      node('Concat', ['u2', 'u1'], ['k'], [attribute.int('axis', 1)]),
      node('Shape', ['k'], ['shape']),
      node('Gather', ['shape', 'first'], ['n']),
      node('Concat', ['n', 'rest'], ['target'], [attribute.int('axis', 0)]),
      node('Reshape', ['k', 'target'], ['f']),
      node(
        'If',
        ['yes'],
        ['g'],
        [attribute.graph('then_branch', thenBranch), attribute.graph('else_branch', elseBranch)],
      ),
      node('Slice', ['g', 'first', 'limit', 'one'], ['h']),
      node('Constant', [], ['limit'], [attribute.tensor('value', int64s('', [16]))]),
      node('Constant', [], ['one'], [attribute.ints('value_ints', [1])]),
      node('DequantizeLinear', ['w3', 'scale'], ['w3f']),
      node('Gemm', ['h', 'w3f'], ['o'], [attribute.int('transB', 1)]),
      node('Softmax', ['o'], ['y'], [attribute.int('axis', -1)]),
    ],
  });
}
