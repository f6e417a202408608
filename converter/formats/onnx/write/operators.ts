import type { Attributes, Node, TensorType } from '../../../ir/types.ts';
import type { OnnxGraphBuilder } from './graph-builder.ts';
import type { OnnxAttributes } from './protos.ts';

/** One operator whose inputs stand in the layout that its attributes speak of. */
export interface OnnxCall {
  readonly node: Node;
  /** The node's attributes, moved to the layout in which the inputs are stored. */
  readonly attrs: Attributes;
  readonly inputs: readonly string[];
  readonly types: readonly TensorType[];
  readonly build: OnnxGraphBuilder;
}

/** Writes one operator; the name of its result before a fused activation. */
export type OnnxOperator = (call: OnnxCall) => string;

const numbers = (call: OnnxCall, name: string) => call.attrs[name] as readonly number[];

function direct(op: string, attributes: (call: OnnxCall) => OnnxAttributes = () => ({})): OnnxOperator {
  return (call) => call.build.node(op, call.node.origin, call.inputs, attributes(call));
}

/** Attributes of a window that slides: strides and pads are the IR's own. */
function windowAttributes(call: OnnxCall, kernel: readonly number[]): OnnxAttributes {
  return { kernel_shape: kernel, strides: numbers(call, 'strides'), pads: numbers(call, 'pads') };
}

function convolution(group: (call: OnnxCall) => number): OnnxOperator {
  return direct('Conv', (call) => ({
    ...windowAttributes(call, call.types[1]!.shape.slice(1, 3)),
    dilations: numbers(call, 'dilations'),
    group: group(call),
  }));
}

const fullyConnected: OnnxOperator = (call) => {
  const { build, inputs, node, types } = call;
  if (types[0]!.shape.length === 2) return build.node('Gemm', node.origin, inputs, { transB: 1 });
  const turned = build.node('Transpose', `${node.origin}/weights`, [inputs[1]!], { perm: [1, 0] });
  const product = build.node('MatMul', `${node.origin}/product`, [inputs[0]!, turned]);
  return build.node('Add', node.origin, [product, inputs[2]!]);
};

const pad: OnnxOperator = (call) => {
  const { build, inputs, node } = call;
  const pads = numbers(call, 'pads');
  const before = pads.filter((_, i) => i % 2 === 0);
  const after = pads.filter((_, i) => i % 2 === 1);
  const list = build.integers(`${node.origin}/pads`, [...before, ...after]);
  const fill = Float32Array.of(call.attrs['value'] as number);
  const value = build.constant(`${node.origin}/value`, 'float32', [], fill);
  return build.node('Pad', node.origin, [inputs[0]!, list, value]);
};

const slice: OnnxOperator = (call) => {
  const { build, inputs, node } = call;
  const [begin, size, strides] = [numbers(call, 'begin'), numbers(call, 'size'), numbers(call, 'strides')];
  const end = begin.map((start, axis) => start + (size[axis]! - 1) * strides[axis]! + 1);
  const axes = begin.map((_, axis) => axis);
  const lists = { starts: begin, ends: end, axes, steps: strides };
  const names = Object.entries(lists).map(([name, list]) => build.integers(`${node.origin}/${name}`, list));
  return build.node('Slice', node.origin, [inputs[0]!, ...names]);
};

const softmax: OnnxOperator = ({ attrs, build, inputs, node }) => {
  const beta = attrs['beta'] as number;
  if (beta === 1) return build.node('Softmax', node.origin, inputs, { axis: -1 });
  const factor = build.constant(`${node.origin}/beta`, 'float32', [], Float32Array.of(beta));
  const scaled = build.node('Mul', `${node.origin}/scaled`, [inputs[0]!, factor]);
  return build.node('Softmax', node.origin, [scaled], { axis: -1 });
};

/** A value stored in 8 bits and read back: what a pair of QuantizeLinear and DequantizeLinear marks. */
const fakeQuantize: OnnxOperator = ({ attrs, build, inputs, node }) => {
  const scale = Float32Array.of(attrs['scale'] as number);
  const zero = Int8Array.of(attrs['zeroPoint'] as number);
  const parameters = [
    build.constant(`${node.origin}/scale`, 'float32', [], scale),
    build.constant(`${node.origin}/zero_point`, 'int8', [], zero),
  ];
  const stored = build.node('QuantizeLinear', `${node.origin}/quantize`, [inputs[0]!, ...parameters]);
  return build.node('DequantizeLinear', `${node.origin}/dequantize`, [stored, ...parameters]);
};

/** A clamp to constants, which is how ONNX has what TFLite fuses. */
export function clip(
  build: OnnxGraphBuilder,
  origin: string,
  input: string,
  low: number,
  high: number,
): string {
  const bound = (name: string, value: number) =>
    build.constant(`${origin}/${name}`, 'float32', [], Float32Array.of(value));
  return build.node('Clip', origin, [input, bound('min', low), bound('max', high)]);
}

const clipped =
  (low: number, high: number): OnnxOperator =>
  ({ build, inputs, node }) =>
    clip(build, node.origin, inputs[0]!, low, high);

/** Operators over images; ONNX wants [N,C,H,W] and filters [O,I/group,Kh,Kw]. */
export const imageOperators: ReadonlyMap<string, OnnxOperator> = new Map([
  ['conv2d', convolution(() => 1)],
  ['depthwiseConv2d', convolution((call) => call.types[0]!.shape[3]!)],
  [
    'averagePool2d',
    direct('AveragePool', (call) => ({
      ...windowAttributes(call, numbers(call, 'filter')),
      count_include_pad: 0,
    })),
  ],
  ['maxPool2d', direct('MaxPool', (call) => windowAttributes(call, numbers(call, 'filter')))],
]);

/** How the axes of a convolution's constant filter are reordered for ONNX. */
export const filterAxes: ReadonlyMap<string, readonly number[]> = new Map([
  ['conv2d', [0, 3, 1, 2]],
  ['depthwiseConv2d', [3, 0, 1, 2]],
]);

/** Operators that take any layout which their own permutation rule allows. */
export const operators: ReadonlyMap<string, OnnxOperator> = new Map([
  ['abs', direct('Abs')],
  ['add', direct('Add')],
  ['concatenation', direct('Concat', ({ attrs }) => ({ axis: attrs['axis'] as number }))],
  ['div', direct('Div')],
  ['elu', direct('Elu')],
  ['exp', direct('Exp')],
  ['fakeQuantize', fakeQuantize],
  ['fullyConnected', fullyConnected],
  ['hardSwish', direct('HardSwish')],
  ['leakyRelu', direct('LeakyRelu', ({ attrs }) => ({ alpha: { float: attrs['alpha'] as number } }))],
  ['logistic', direct('Sigmoid')],
  ['maximum', direct('Max')],
  [
    'mean',
    direct('ReduceMean', (call) => ({
      axes: numbers(call, 'axes'),
      keepdims: call.attrs['keepDims'] as boolean,
    })),
  ],
  ['minimum', direct('Min')],
  ['mul', direct('Mul')],
  ['neg', direct('Neg')],
  ['pad', pad],
  ['relu', direct('Relu')],
  ['relu6', clipped(0, 6)],
  ['reluN1To1', clipped(-1, 1)],
  ['slice', slice],
  ['softmax', softmax],
  ['sqrt', direct('Sqrt')],
  ['sub', direct('Sub')],
  ['tanh', direct('Tanh')],
]);
