import { elementCount } from '../../../ir/tensor.ts';
import { notConvertible } from '../errors.ts';
import { checkFinite } from './builder.ts';
import { floatConstant, type Lowering, onlyInputs, operand } from './lowering.ts';

/** Operators without attributes that the graph has under another name. */
function oneToOne(op: string, target: string): Lowering {
  return {
    op,
    notes: '',
    lower(node, build) {
      onlyInputs(node, 1);
      return [build.unary(target, operand(node, 0))];
    },
  };
}

const leakyRelu: Lowering = {
  op: 'LeakyRelu',
  notes: '',
  lower(node, build) {
    onlyInputs(node, 1);
    return [build.emit('leakyRelu', [operand(node, 0)], { alpha: node.attrs.float('alpha', 0.01) })];
  },
};

const elu: Lowering = {
  op: 'Elu',
  notes: 'alpha 1',
  lower(node, build) {
    onlyInputs(node, 1);
    const alpha = node.attrs.float('alpha', 1);
    if (alpha !== 1) throw notConvertible(`its alpha is ${alpha}; only 1 is possible`);
    return [build.unary('elu', operand(node, 0))];
  },
};

const pRelu: Lowering = {
  op: 'PRelu',
  notes: 'constant slope',
  lower(node, build) {
    onlyInputs(node, 2);
    const x = operand(node, 0);
    const slope = floatConstant(node, 1, 'slopes');
    checkFinite(slope);
    if (elementCount(slope.type.shape) === 1)
      return [build.emit('leakyRelu', [x], { alpha: slope.data[0]! })];
    const negative = build.binary('minimum', x, build.scalar(0));
    return [build.binary('add', build.unary('relu', x), build.binary('mul', negative, slope))];
  },
};

const hardSigmoid: Lowering = {
  op: 'HardSigmoid',
  notes: 'becomes additions, a clip and a multiplication',
  lower(node, build) {
    onlyInputs(node, 1);
    const x = operand(node, 0);
    const alpha = node.attrs.float('alpha', 0.2);
    const beta = node.attrs.float('beta', 0.5);
    const line = build.binary('add', build.binary('mul', x, build.scalar(alpha)), build.scalar(beta));
    return [build.binary('minimum', build.unary('relu', line), build.scalar(1))];
  },
};

export const activations: readonly Lowering[] = [
  oneToOne('Abs', 'abs'),
  oneToOne('Exp', 'exp'),
  oneToOne('HardSwish', 'hardSwish'),
  oneToOne('Neg', 'neg'),
  oneToOne('Relu', 'relu'),
  oneToOne('Sigmoid', 'logistic'),
  oneToOne('Sqrt', 'sqrt'),
  oneToOne('Tanh', 'tanh'),
  elu,
  hardSigmoid,
  leakyRelu,
  pRelu,
];
