import type { Value } from '../../../ir/types.ts';
import { constantMismatch, notConvertible } from '../errors.ts';
import type { NodeBuilder } from './builder.ts';
import { constantOperand, type Lowering, type LowerNode, onlyInputs, operand, rankOf } from './lowering.ts';

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
  const inverse = build.derive(divisor, 'reciprocal', divisor.type.shape, () =>
    data.map((value) => 1 / value),
  );
  return (inverse.data as Float32Array).every(Number.isFinite) ? inverse : undefined;
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

/** The one exponent; it may have another type than the base. */
function exponentOf(node: LowerNode): number {
  const { data, type } = constantOperand(node, 1, 'exponents');
  if (type.shape.length > rankOf(operand(node, 0))) {
    throw constantMismatch('Pow', 'the exponent has more axes than the base');
  }
  const [exponent] = data;
  for (const other of data) {
    if (other !== exponent) throw notConvertible('its exponents differ between elements');
  }
  return Number(exponent);
}

const pow: Lowering = {
  op: 'Pow',
  notes: `constant exponent, one of ${[...powers.keys()].join(', ')}`,
  lower(node, build) {
    onlyInputs(node, 2);
    const x = operand(node, 0);
    const exponent = exponentOf(node);
    const power = powers.get(exponent);
    if (!power) {
      throw notConvertible(`its exponent is ${exponent}; ${[...powers.keys()].join(', ')} are possible`);
    }
    return [power(build, x)];
  },
};

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
