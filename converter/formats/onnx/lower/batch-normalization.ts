import { constantMismatch, notConvertible } from '../errors.ts';
import { checkFinite } from './builder.ts';
import { floatConstant, type Lowering, onlyInputs, onlyOutputs, operand, rankOf } from './lowering.ts';

/** Inference only: y = x * factor + offset with constants, which the pipeline folds into a convolution before. */
export const batchNormalization: Lowering = {
  op: 'BatchNormalization',
  notes: 'inference; becomes a multiplication and an addition, folded into the layer before',
  lower(node, build) {
    onlyInputs(node, 5);
    onlyOutputs(node, 1);
    const x = operand(node, 0);
    const parameters = ['scale', 'offset', 'mean', 'variance'].map((role, i) =>
      floatConstant(node, i + 1, role),
    );
    const channels = x.type.shape[1];
    if (
      rankOf(x) < 2 ||
      parameters.some(({ data, type }) => data.length !== channels || type.shape.length !== 1)
    ) {
      throw constantMismatch(node.op, `its parameters do not fit ${channels ?? 'no'} channels`);
    }
    for (const parameter of parameters) checkFinite(parameter);
    if (node.attrs.flag('training_mode', false)) throw notConvertible('it is in training mode');
    if (!node.attrs.flag('spatial', true)) throw notConvertible('it normalizes every position alone');
    node.attrs.ignore('momentum');
    const epsilon = node.attrs.float('epsilon', 1e-5);
    const [scale, offset, mean, variance] = parameters.map(({ data }) => data) as [
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    const factors = Float64Array.from(scale, (value, i) => value / Math.sqrt(variance[i]! + epsilon));
    const offsets = Float32Array.from(offset, (value, i) => value - mean[i]! * factors[i]!);
    const shape = x.type.shape.map((size, axis) => (axis === 1 ? size : 1));
    const product = build.binary('mul', x, build.constant(':scale', shape, Float32Array.from(factors)));
    return [build.binary('add', product, build.constant(':offset', shape, offsets))];
  },
};
