import { type GraphNode, input, type LowerNode } from './node.ts';

/** Of two constants tfjs would have made one; of those with another input, an operator. */
function binary(op: string): LowerNode {
  return (node) => node.build.binary(op, input(node, 0), input(node, 1));
}

function unary(op: string): LowerNode {
  return (node) => node.build.unary(op, input(node, 0));
}

const rsqrt: LowerNode = (node) =>
  node.build.binary('div', node.build.scalar(1), node.build.unary('sqrt', input(node, 0)));

const square = (node: GraphNode) => node.build.binary('mul', input(node, 0), input(node, 0));

export const elementwise: Readonly<Record<string, LowerNode>> = {
  Add: binary('add'),
  AddV2: binary('add'),
  BiasAdd: binary('add'),
  Sub: binary('sub'),
  Mul: binary('mul'),
  RealDiv: binary('div'),
  Maximum: binary('maximum'),
  Minimum: binary('minimum'),
  SquaredDifference: (node) => {
    const difference = node.build.binary('sub', input(node, 0), input(node, 1));
    return node.build.binary('mul', difference, difference);
  },
  Relu: unary('relu'),
  Relu6: unary('relu6'),
  Elu: unary('elu'),
  Sigmoid: unary('logistic'),
  Tanh: unary('tanh'),
  Exp: unary('exp'),
  Sqrt: unary('sqrt'),
  Abs: unary('abs'),
  Neg: unary('neg'),
  Rsqrt: rsqrt,
  Square: square,
  LeakyRelu: (node) =>
    node.build.emit('leakyRelu', [input(node, 0)], { alpha: node.attrs.number('alpha', 0.2) }),
  Softmax: (node) => node.build.emit('softmax', [input(node, 0)], { beta: 1 }),
};
