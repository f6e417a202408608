import type { Value } from '../../../ir/types.ts';
import { attributeMalformed, constantMismatch } from '../errors.ts';
import type { NodeBuilder } from './builder.ts';
import { floatConstant, type Lowering, type LowerNode, onlyInputs, operand } from './lowering.ts';

/** Beyond this nothing is clipped: exporters write the largest float where there is no bound. */
const largestFloat = 3.4028234663852886e38;

/** Bound from an attribute (opset 6 to 10) or an input. */
function boundOf(node: LowerNode, name: string, position: number, otherwise: number): number {
  const attribute = node.attrs.bound(name);
  if (!node.inputs[position]) return attribute ?? otherwise;
  const { data } = floatConstant(node, position, 'bounds');
  const [value] = data;
  if (data.length !== 1 || value === undefined || Number.isNaN(value)) {
    throw constantMismatch('Clip', `its ${name} is not one number`);
  }
  return value;
}

/** Ranges that the graph has an activation for. */
const activations: readonly (readonly [number, number, string])[] = [
  [0, 6, 'relu6'],
  [0, Number.POSITIVE_INFINITY, 'relu'],
  [-1, 1, 'reluN1To1'],
];

function clipTo(build: NodeBuilder, x: Value, low: number, high: number): Value {
  const activation = activations.find(([from, to]) => from === low && to === high);
  if (activation) return build.unary(activation[2], x);
  const above = Number.isFinite(low) ? build.binary('maximum', x, build.scalar(low)) : x;
  return Number.isFinite(high) ? build.binary('minimum', above, build.scalar(high)) : above;
}

export const clip: Lowering = {
  op: 'Clip',
  notes: 'constant bounds',
  lower(node, build) {
    onlyInputs(node, 3);
    const min = boundOf(node, 'min', 1, Number.NEGATIVE_INFINITY);
    const max = boundOf(node, 'max', 2, Number.POSITIVE_INFINITY);
    const low = min <= -largestFloat ? Number.NEGATIVE_INFINITY : min;
    const high = max >= largestFloat ? Number.POSITIVE_INFINITY : max;
    if (low === Number.POSITIVE_INFINITY || high === Number.NEGATIVE_INFINITY) {
      throw attributeMalformed('min', 'and "max" leave no finite value');
    }
    return [clipTo(build, operand(node, 0), low, high)];
  },
};
