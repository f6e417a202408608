import type { Value } from '../../../ir/types.ts';
import { constantMismatch, notConvertible } from '../errors.ts';
import type { NodeBuilder } from './builder.ts';
import { floatConstant, type Lowering, onlyInputs, operand } from './lowering.ts';

function twoInputs(op: string, target: string): Lowering {
  return {
    op,
    notes: 'broadcasting',
    lower(node, build) {
      onlyInputs(node, 2);
      return [build.binary(target, operand(node, 0), operand(node, 1))];
    },
  };
}

/** Any number of inputs, taken two by two. */
function anyInputs(op: string, target: string): Lowering {
  return {
    op,
    notes: 'any number of inputs, broadcasting',
    lower(node, build) {
      let result = operand(node, 0);
      for (let i = 1; i < node.inputs.length; i++) result = build.binary(target, result, operand(node, i));
      return [result];
    },
  };
}

/** 1 / divisor, or undefined where that is not a finite number. */
function reciprocalOf(build: NodeBuilder, divisor: Value): Value | undefined {
  const { data } = divisor;
  if (!(data instanceof Float32Array)) return undefined;
  const inverse = data.map((value) => 1 / value);
  if (!inverse.every(Number.isFinite)) return undefined;
  return build.derive(divisor, 'reciprocal', divisor.type.shape, () => inverse);
}

const div: Lowering = {
  op: 'Div',
  notes: 'broadcasting; a constant divisor becomes a factor',
  lower(node, build) {
    onlyInputs(node, 2);
    const [a, b] = [operand(node, 0), operand(node, 1)];
    const factor = reciprocalOf(build, b);
    return [factor ? build.binary('mul', a, factor) : build.binary('div', a, b)];
  },
};

const reciprocal: Lowering = {
  op: 'Reciprocal',
  notes: 'becomes a division',
  lower(node, build) {
    onlyInputs(node, 1);
    return [build.binary('div', build.scalar(1), operand(node, 0))];
  },
};

const powers: ReadonlyMap<number, (build: NodeBuilder, x: Value) => Value> = new Map([
  [0.5, (build: NodeBuilder, x: Value) => build.unary('sqrt', x)],
  [1, (_: NodeBuilder, x: Value) => x],
  [2, (build: NodeBuilder, x: Value) => build.binary('mul', x, x)],
  [3, (build: NodeBuilder, x: Value) => build.binary('mul', build.binary('mul', x, x), x)],
]);

const pow: Lowering = {
  op: 'Pow',
  notes: `constant exponent, one of ${[...powers.keys()].join(', ')}`,
  lower(node, build) {
    onlyInputs(node, 2);
    const x = operand(node, 0);
    const { data } = floatConstantExponent(node);
    const exponent = data[0];
    if (exponent === undefined || data.some((value) => value !== exponent)) {
      throw notConvertible('its exponents differ between elements');
    }
    const power = powers.get(Number(exponent));
    if (!power)
      throw notConvertible(`its exponent is ${exponent}; ${[...powers.keys()].join(', ')} are possible`);
    return [power(build, x)];
  },
};

/** The exponent may have another type than the base. */
function floatConstantExponent(node: Parameters<Lowering['lower']>[0]) {
  const exponent = operand(node, 1);
  if (!exponent.data) return floatConstant(node, 1, 'exponents');
  if (exponent.type.shape.length > operand(node, 0).type.shape.length) {
    throw constantMismatch('Pow', 'the exponent has more axes than the base');
  }
  return { data: Array.from(exponent.data as ArrayLike<number | bigint>, Number) };
}

export const arithmetic: readonly Lowering[] = [
  twoInputs('Add', 'add'),
  twoInputs('Mul', 'mul'),
  twoInputs('Sub', 'sub'),
  anyInputs('Max', 'maximum'),
  anyInputs('Min', 'minimum'),
  anyInputs('Sum', 'add'),
  div,
  pow,
  reciprocal,
];
