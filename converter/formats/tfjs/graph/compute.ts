import type { Value } from '../../../ir/types.ts';
import {
  activate,
  connect,
  convolve,
  convolveDepthwise,
  normalize,
  pool,
  type Sliding,
} from '../operations.ts';
import {
  channelsLast,
  constantInput,
  type GraphNode,
  input,
  type LowerNode,
  paddingOf,
  spatialPair,
} from './node.ts';

function slidingOf(node: GraphNode): Sliding {
  channelsLast(node);
  return {
    strides: spatialPair(node, 'strides'),
    dilations: spatialPair(node, 'dilations'),
    padding: paddingOf(node),
  };
}

const fusedActivations: Readonly<Record<string, string>> = {
  Relu: 'relu',
  Relu6: 'relu6',
  Elu: 'elu',
  Sigmoid: 'sigmoid',
  Tanh: 'tanh',
};

/** `fused_ops`: a bias, then perhaps an activation. */
function fused(node: GraphNode, make: (bias: Value | undefined) => Value): Value {
  const { attrs, op, build } = node;
  const [first, second, ...more] = attrs.texts('fused_ops');
  if (first === undefined) return make(undefined);
  if (first !== 'BiasAdd' || more.length > 0)
    throw build.refuse(op, `it is fused with ${[first, second, ...more].join(', ')}`);
  const result = make(constantInput(node, 2));
  if (second === undefined) return result;
  if (second === 'LeakyRelu')
    return build.emit('leakyRelu', [result], { alpha: attrs.number('leakyrelu_alpha', 0.2) });
  const activated = fusedActivations[second] && activate(build, result, fusedActivations[second]);
  if (!activated) throw build.refuse(op, `it is fused with ${second}`);
  return activated;
}

const conv2d: LowerNode = (node) =>
  fused(node, (bias) => convolve(node.build, input(node, 0), constantInput(node, 1), bias, slidingOf(node)));

const depthwise: LowerNode = (node) =>
  fused(node, (bias) =>
    convolveDepthwise(node.build, input(node, 0), constantInput(node, 1), bias, slidingOf(node)),
  );

const matMul: LowerNode = (node) =>
  fused(node, (bias) => {
    const { attrs, build, op } = node;
    if (attrs.flag('transpose_a', false)) throw build.refuse(op, 'its first input is transposed');
    const kernel = constantInput(node, 1);
    const turned = attrs.flag('transpose_b', false) ? build.transpose(kernel, [1, 0]) : kernel;
    return connect(build, input(node, 0), turned, bias);
  });

function pooling(op: 'maxPool2d' | 'averagePool2d'): LowerNode {
  return (node) => {
    channelsLast(node);
    const sliding = { strides: spatialPair(node, 'strides'), padding: paddingOf(node) };
    return pool(node.build, op, input(node, 0), spatialPair(node, 'ksize'), sliding);
  };
}

const batchNorm: LowerNode = (node) => {
  channelsLast(node);
  if (node.attrs.flag('is_training', true)) throw node.build.refuse(node.op, 'it is in training mode');
  return normalize(node.build, input(node, 0), {
    gamma: constantInput(node, 1),
    beta: constantInput(node, 2),
    mean: constantInput(node, 3),
    variance: constantInput(node, 4),
    epsilon: node.attrs.number('epsilon', 1e-4),
  });
};

export const computing: Readonly<Record<string, LowerNode>> = {
  Conv2D: conv2d,
  _FusedConv2D: conv2d,
  DepthwiseConv2dNative: depthwise,
  FusedDepthwiseConv2dNative: depthwise,
  MatMul: matMul,
  _FusedMatMul: matMul,
  MaxPool: pooling('maxPool2d'),
  AvgPool: pooling('averagePool2d'),
  FusedBatchNorm: batchNorm,
  FusedBatchNormV2: batchNorm,
  FusedBatchNormV3: batchNorm,
};
