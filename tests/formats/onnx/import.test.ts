import { describe, expect, test } from 'vitest';
import { TinymlError } from '../../../common/tinyml-error.ts';
import { evaluateFloat } from '../../../converter/evaluate/float.ts';
import { importOnnx } from '../../../converter/formats/onnx/import.ts';
import type { Draft } from './encode.ts';
import { attribute, floats, int64s, type ModelParts, model, node, port } from './models.ts';

function load(parts: ModelParts, inputShapes?: ReadonlyMap<string, readonly number[]>) {
  return importOnnx(model(parts), { fileName: 'net.onnx', ...(inputShapes && { inputShapes }) });
}

/** Everything a user would read of the error that `work` throws. */
function refusal(work: () => unknown): { code: string; text: string } {
  try {
    work();
  } catch (error) {
    if (!(error instanceof TinymlError)) throw error;
    expect(error.exit).toBe(1);
    return { code: error.code, text: [error.message, ...error.measure, error.hint ?? ''].join('\n') };
  }
  throw new Error('nothing was refused');
}

const relu = node('Relu', ['x'], ['y']);

describe('versions', () => {
  test.each([3, 8, 10, 13])('IR version %i is read', (irVersion) => {
    expect(load({ nodes: [relu], irVersion }).notes).toEqual([]);
  });

  test.each([0, 1, 2])('IR version %i is refused', (irVersion) => {
    expect(refusal(() => load({ nodes: [relu], irVersion })).code).toBe('E_ONNX_VERSION');
  });

  test('newer versions are read with a note', () => {
    expect(load({ nodes: [relu], irVersion: 99, opset: 99 }).notes).toHaveLength(2);
  });

  test.each([7, 9, 11, 13, 17, 18, 22])('opset %i is read', (opset) => {
    expect(load({ nodes: [relu], opset }).graph.nodes.map(({ op }) => op)).toEqual(['relu']);
  });

  test.each([1, 6, -3])('opset %i is refused', (opset) => {
    const { code, text } = refusal(() => load({ nodes: [relu], opset }));
    expect(code).toBe('E_ONNX_VERSION');
    expect(text).toContain(`opset ${opset}`);
  });

  test('a file that names no opset is refused', () => {
    expect(refusal(() => load({ nodes: [relu], opsets: [] })).code).toBe('E_ONNX_VERSION');
  });
});

describe('inputs', () => {
  const open = (dims: readonly (number | string)[] | undefined) => ({
    nodes: [relu],
    inputs: [port('x', dims)],
  });

  test.each([['batch'], [''], [0], [-1]])('an open batch (%j) becomes 1 with a note', (batch) => {
    const { graph, notes } = load(open([batch, 3]));
    expect(graph.inputs[0]!.shape).toEqual([1, 3]);
    expect(notes).toHaveLength(1);
  });

  test('other open dimensions are named with the flag that sets them', () => {
    const { code, text } = refusal(() => load(open(['N', 'time', 3, ''])));
    expect(code).toBe('E_ONNX_UNKNOWN_DIMENSION');
    expect(text).toContain('input "x"');
    expect(text).toContain('axis 1 ("time") and axis 3');
    expect(text).toContain('--input-shape x=1,time,3,N');
  });

  test('an input without a shape is refused', () => {
    expect(refusal(() => load(open(undefined))).text).toContain('--input-shape x=');
  });

  test('a given shape sets open dimensions, also those of the same name elsewhere', () => {
    const { graph } = load(
      {
        nodes: [node('Add', ['x', 'z'], ['y'])],
        inputs: [port('x', [1, 'time']), port('z', [1, 'time'])],
      },
      new Map([['x', [1, 5]]]),
    );
    expect(graph.inputs.map(({ shape }) => shape)).toEqual([
      [1, 5],
      [1, 5],
    ]);
  });

  test.each([[[2, 3]], [[1, 3, 8]], [[1, 0]], [[1, 1.5]]])('the shape %j does not fit [1,3]', (shape) => {
    expect(refusal(() => load(open([1, 3]), new Map([['x', shape]]))).code).toBe('E_ONNX_INPUT');
  });

  test('a shape for an input that does not exist names the nearest one', () => {
    const { text } = refusal(() =>
      load(
        { nodes: [node('Relu', ['image'], ['y'])], inputs: [port('image', [1, 'w'])] },
        new Map([['imgae', [1, 2]]]),
      ),
    );
    expect(text).toContain('did you mean "image"?');
  });

  test('initializers that are listed as inputs are none', () => {
    const { graph } = load({
      nodes: [node('Add', ['x', 'w'], ['y'])],
      inputs: [port('x', [1, 3]), port('w', [3])],
      initializers: [floats('w', [3], [1, 2, 3])],
    });
    expect(graph.inputs.map(({ name }) => name)).toEqual(['x']);
  });

  test('half and double inputs become float32 with a note', () => {
    expect(load({ nodes: [relu], inputs: [port('x', [1, 3], 10)] }).notes.join()).toContain('float16');
  });

  test('several inputs and outputs keep their order and names', () => {
    const { graph } = load({
      nodes: [node('Add', ['b', 'a'], ['sum']), node('Relu', ['a'], ['rest'])],
      inputs: [port('a', [1, 3]), port('b', [1, 3])],
      outputs: [port('rest', []), port('sum', [])],
    });
    expect(graph.inputs.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(graph.outputs.map(({ name }) => name)).toEqual(['rest', 'sum']);
  });

  test('an output that is an input gets a node of its own', () => {
    const { graph } = load({ nodes: [node('Identity', ['x'], ['y'])], inputs: [port('x', [1, 3])] });
    expect(graph.nodes.map(({ op }) => op)).toEqual(['reshape']);
  });
});

describe('operators', () => {
  test('all that cannot be converted are reported at once, by the names of their nodes', () => {
    const nodes = [
      node('NoSuchOp', ['x'], ['a'], [], { name: 'head/first' }),
      node('AlsoMissing', ['a'], ['b'], [], { name: 'head/second' }),
      node('Relu', ['b'], ['c']),
      node('FusedConv', ['c'], ['d'], [], { domain: 'com.microsoft' }),
      node('Elu', ['x'], ['e'], [attribute.float('alpha', 2)]),
      node('Sum', ['d', 'e'], ['y']),
    ];
    const { code, text } = refusal(() => load({ nodes }));
    expect(code).toBe('E_ONNX_UNSUPPORTED_OP');
    expect(text).toContain(
      'net.onnx: node "head/first" uses NoSuchOp (opset 17), which tinyml cannot convert',
    );
    expect(text).toContain('node "head/second" uses AlsoMissing');
    expect(text).toContain('node "FusedConv_3" uses com.microsoft.FusedConv');
    expect(text).toContain('its alpha is 2; only 1 is possible');
    expect(text).toContain('4 of 6 nodes are affected');
  });

  test('an operator that no output needs does no harm', () => {
    expect(load({ nodes: [relu, node('NoSuchOp', ['x'], ['z'])] }).graph.nodes).toHaveLength(1);
  });

  test('nodes without a name are called by operator and position', () => {
    const { graph } = load({ nodes: [node('Relu', ['x'], ['a']), node('Relu', ['a'], ['y'])] });
    expect(graph.nodes.map(({ origin }) => origin)).toEqual(['Relu_0', 'Relu_1']);
  });

  const withAttribute: readonly (readonly [string, Draft])[] = [
    ['Relu', attribute.float('slope', 1)],
    ['MaxPool', attribute.int('future', 1)],
    ['Softmax', attribute.string('mode', 'fast')],
    ['Constant', attribute.string('value_string', 'x')],
  ];
  test.each(withAttribute)('%s with an attribute that is not known is refused', (op, unknown) => {
    const kernel = attribute.ints('kernel_shape', [2, 2]);
    const attributes = op === 'MaxPool' ? [kernel, unknown] : [unknown];
    const { code } = refusal(() =>
      load({ nodes: [node(op, op === 'Constant' ? [] : ['x'], ['y'], attributes)] }),
    );
    expect(code).toBe('E_ONNX_UNSUPPORTED_OP');
  });

  test.each([
    ['a float where integers belong', attribute.float('kernel_shape', 2)],
    ['a kernel of no size', attribute.ints('kernel_shape', [0, 2])],
    ['a kernel of 2^40', attribute.ints('kernel_shape', [2 ** 40, 2])],
    ['one kernel axis for two', attribute.ints('kernel_shape', [2])],
  ])('MaxPool with %s is refused', (_, kernel) => {
    const { code, text } = refusal(() => load({ nodes: [node('MaxPool', ['x'], ['y'], [kernel])] }));
    expect(code).toBe('E_ONNX_GRAPH');
    expect(text).toContain('node "MaxPool_0"');
  });

  test('an attribute that is given twice is refused', () => {
    const twice = [attribute.int('axis', 1), attribute.int('axis', 2)];
    expect(refusal(() => load({ nodes: [node('Softmax', ['x'], ['y'], twice)] })).code).toBe('E_ONNX_GRAPH');
  });

  test('shapes that do not fit are reported with the node', () => {
    const { code, text } = refusal(() =>
      load({
        nodes: [node('Add', ['x', 'w'], ['y'], [], { name: 'sum' })],
        initializers: [floats('w', [5], [1, 2, 3, 4, 5])],
      }),
    );
    expect(code).toBe('E_MODEL_SHAPE');
    expect(text).toContain('net.onnx: node "sum" (Add)');
  });

  test.each([
    [0, 6, ['relu6']],
    [-1, 1, ['reluN1To1']],
    [0, Number.POSITIVE_INFINITY, ['relu']],
    [0, 3.4028234663852886e38, ['relu']],
    [-2, 3, ['maximum', 'minimum']],
    [-3.4028234663852886e38, 3, ['minimum']],
  ])('Clip from %d to %d becomes %j', (low, high, ops) => {
    const initializers = [floats('low', [], [low]), floats('high', [], [high])];
    const { graph } = load({ nodes: [node('Clip', ['x', 'low', 'high'], ['y'])], initializers });
    expect(graph.nodes.map(({ op }) => op)).toEqual(ops);
  });

  test('Softmax before opset 13 normalises all axes from its own on', async () => {
    const inputs = [port('x', [1, 2, 2])];
    const { graph } = load({ nodes: [node('Softmax', ['x'], ['y'])], inputs, opset: 11 });
    const [result] = await evaluateFloat(graph, [Float32Array.of(0, 0, 0, 0)], 1);
    expect([...result!]).toEqual([0.25, 0.25, 0.25, 0.25]);
  });

  test('a convolution with groups that is not depthwise computes each group from its own channels', async () => {
    const inputs = [port('x', [1, 4, 1, 1])];
    const initializers = [floats('w', [2, 2, 1, 1], [1, 10, 100, 1000])];
    const conv = node('Conv', ['x', 'w'], ['y'], [attribute.int('group', 2)]);
    const { graph } = load({ nodes: [conv], inputs, initializers });
    const [result] = await evaluateFloat(graph, [Float32Array.of(1, 2, 3, 4)], 1);
    expect([...result!]).toEqual([21, 4300]);
  });

  test('shapes computed from an open batch are folded', () => {
    const { graph } = load({
      inputs: [port('x', ['batch', 3, 4])],
      initializers: [int64s('zero', [0]), int64s('rest', [-1])],
      nodes: [
        node('Shape', ['x'], ['shape']),
        node('Gather', ['shape', 'zero'], ['batch']),
        node('Concat', ['batch', 'rest'], ['target'], [attribute.int('axis', 0)]),
        node('Reshape', ['x', 'target'], ['y']),
      ],
    });
    expect(graph.outputs[0]!.shape).toEqual([1, 12]);
    expect(graph.nodes.map(({ op }) => op)).toEqual(['reshape']);
  });
});

describe('graph', () => {
  const cases: readonly (readonly [string, readonly Draft[], string])[] = [
    ['a value made twice', [relu, node('Tanh', ['x'], ['y'])], 'made more than once'],
    ['a value that nothing makes', [node('Add', ['x', 'ghost'], ['y'])], '"ghost", which nothing makes'],
    ['an output that nothing makes', [node('Relu', ['x'], ['z'])], 'the graph returns "y"'],
    ['a node that reads its own output', [node('Add', ['x', 'y'], ['y'])], 'depends on its own output'],
    [
      'a cycle of two',
      [node('Add', ['x', 'b'], ['a']), node('Relu', ['a'], ['b']), node('Relu', ['b'], ['y'])],
      'depends on its own output',
    ],
    ['an output that is a constant', [node('Shape', ['x'], ['y'])], 'does not depend on any input'],
  ];
  test.each(cases)('%s is refused', (_, nodes, text) => {
    const error = refusal(() => load({ nodes }));
    expect(error.code).toBe('E_ONNX_GRAPH');
    expect(error.text).toContain(text);
  });

  test('nodes may stand in any order', () => {
    const nodes = [node('Tanh', ['b'], ['y']), node('Abs', ['a'], ['b']), node('Relu', ['x'], ['a'])];
    expect(load({ nodes }).graph.nodes.map(({ op }) => op)).toEqual(['relu', 'abs', 'tanh']);
  });

  test.each([
    ['no inputs', { inputs: [] }],
    ['no outputs', { outputs: [] }],
    ['an input without a name', { inputs: [port('', [1, 3])] }],
    ['an output without a name', { outputs: [port('', [])] }],
    ['the same input twice', { inputs: [port('x', [1]), port('x', [1])] }],
    ['the same initializer twice', { initializers: [floats('w', [1], [1]), floats('w', [1], [1])] }],
    [
      'an initializer without a name and a duplicate',
      { initializers: [floats('', [1], [1]), floats('', [1], [1])] },
    ],
  ])('%s is refused', (_, parts) => {
    expect(refusal(() => load({ nodes: [relu], ...parts })).code).toBe('E_ONNX_GRAPH');
  });

  const names = [
    '__proto__',
    'constructor',
    'hasOwnProperty',
    'toString',
    'a\0b',
    '\u202Egnp.x',
    '🦊',
    ' ',
    'x'.repeat(1 << 20),
  ];
  test.each(names.map((name) => [name.slice(0, 16), name]))('the name %j works everywhere', (_, name) => {
    const bytes = model({
      inputs: [port(name, [1, 4])],
      outputs: [port(`${name}!`, [])],
      initializers: [
        floats(
          `${name}?`,
          [4, 4],
          Array.from({ length: 16 }, (_, i) => i),
        ),
      ],
      nodes: [
        node('MatMul', [name, `${name}?`], ['m'], [], { name }),
        node('Relu', ['m'], [`${name}!`], [], { name }),
      ],
      graph: { name },
    });
    const { graph } = importOnnx(bytes, { fileName: 'net.onnx' });
    expect(graph.inputs[0]!.name).toBe(name);
    expect(graph.outputs[0]!.name).toBe(`${name}!`);
    expect(graph.nodes.map(({ origin }) => origin)).toEqual([name, name]);
    expect(({} as Record<string, unknown>)['0']).toBeUndefined();
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  test('a hostile name as operator, domain or attribute is refused like any other', () => {
    for (const name of names) {
      const asOperator = refusal(() => load({ nodes: [node(name, ['x'], ['y'])] }));
      const asDomain = refusal(() => load({ nodes: [node('Relu', ['x'], ['y'], [], { domain: name })] }));
      const asAttribute = refusal(() =>
        load({ nodes: [node('Relu', ['x'], ['y'], [attribute.int(name, 1)])] }),
      );
      for (const { code, text } of [asOperator, asDomain, asAttribute]) {
        expect(code).toBe('E_ONNX_UNSUPPORTED_OP');
        expect(text.length).toBeLessThan(2000);
      }
    }
  });
});

describe('functions', () => {
  const scaledRelu = {
    name: 'ScaledRelu',
    domain: 'user',
    input: ['v'],
    output: ['w'],
    attribute: ['alpha'],
    attributeProto: [attribute.float('beta', 0.25)],
    opsetImport: [{ domain: '', version: 17 }],
    node: [
      node('LeakyRelu', ['v'], ['t'], [attribute.reference('alpha', 'alpha', 1)], { name: 'leak' }),
      node('Elu', ['t'], ['w'], [attribute.reference('alpha', 'missing', 1)]),
    ],
  };
  const opsets = [
    { domain: '', version: 17 },
    { domain: 'user', version: 1 },
  ];
  const call = (name: string, x: string, y: string) =>
    node('ScaledRelu', [x], [y], [attribute.float('alpha', 0.5)], { domain: 'user', name });

  test('are put in place of each call, with its attributes and its name', () => {
    const { graph } = load({
      nodes: [call('one', 'x', 'a'), call('two', 'a', 'y')],
      functions: [scaledRelu],
      opsets,
    });
    expect(graph.nodes.map(({ op, origin, attrs }) => [op, origin, attrs['alpha']])).toEqual([
      ['leakyRelu', 'one/leak', 0.5],
      ['elu', 'one/Elu_1', undefined],
      ['leakyRelu', 'two/leak', 0.5],
      ['elu', 'two/Elu_1', undefined],
    ]);
  });

  const wrapper = (name: string, callee: string, times = 1) => ({
    name,
    domain: 'user',
    input: ['v'],
    output: ['w'],
    opsetImport: opsets,
    node: Array.from({ length: times }, (_, i) =>
      node(callee, [i === 0 ? 'v' : `t${i - 1}`], [i === times - 1 ? 'w' : `t${i}`], [], { domain: 'user' }),
    ),
  });
  const start = node('f0', ['x'], ['y'], [], { domain: 'user' });

  test('that call themselves, directly or through others, are refused', () => {
    const functions = [wrapper('f0', 'f1'), wrapper('f1', 'f0')];
    expect(refusal(() => load({ nodes: [start], functions, opsets })).text).toContain('calls itself');
  });

  test('that multiply without end are refused within the limit of nodes', () => {
    const functions = Array.from({ length: 20 }, (_, i) => wrapper(`f${i}`, `f${i + 1}`, 10));
    expect(refusal(() => load({ nodes: [start], functions, opsets })).code).toBe('E_ONNX_TOO_LARGE');
  });

  test('that nest too deep are refused', () => {
    const functions = Array.from({ length: 1000 }, (_, i) => wrapper(`f${i}`, `f${i + 1}`));
    expect(refusal(() => load({ nodes: [start], functions, opsets })).text).toContain('levels deep');
  });

  test('that are defined twice are refused', () => {
    const functions = [scaledRelu, scaledRelu];
    expect(refusal(() => load({ nodes: [relu], functions, opsets })).code).toBe('E_ONNX_GRAPH');
  });
});

describe('If', () => {
  const branch = (op: string, initializer: readonly Draft[] = []) => ({
    name: 'branch',
    node: [node(op, initializer.length > 0 ? ['x', 'c'] : ['x'], ['out'], [], { name: op })],
    output: [port('out', [])],
    initializer,
  });
  const choice = (condition: string) =>
    node(
      'If',
      [condition],
      ['y'],
      [
        attribute.graph('then_branch', branch('Add', [floats('c', [1], [2])])),
        attribute.graph('else_branch', branch('Tanh')),
      ],
      { name: 'choice' },
    );

  test.each([
    [1, ['add']],
    [0, ['tanh']],
  ])('with the constant condition %i becomes its branch', (value, ops) => {
    const condition = { name: 'c', dims: [], dataType: 9, int32Data: [value] };
    const { graph } = load({ nodes: [choice('c')], initializers: [condition] });
    expect(graph.nodes.map(({ op, origin }) => [op, origin.split('/')[0]])).toEqual(
      ops.map((op) => [op, 'choice']),
    );
  });

  test('with a computed condition is refused', () => {
    const { code, text } = refusal(() => load({ nodes: [choice('x')] }));
    expect(code).toBe('E_ONNX_UNSUPPORTED_OP');
    expect(text).toContain('node "choice" uses If');
  });
});
