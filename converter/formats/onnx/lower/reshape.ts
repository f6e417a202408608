import { elementCount } from '../../../ir/tensor.ts';
import { attributeMalformed, shapeRequestInvalid } from '../errors.ts';
import { reshapeTarget } from '../graph/reshape-target.ts';
import { squeezedShape, unsqueezedShape } from '../graph/squeezed-shape.ts';
import { axesOf, type Lowering, onlyInputs, operand, optionalNumbers, rankOf } from './lowering.ts';

const reshape: Lowering = {
  op: 'Reshape',
  notes: 'constant or computable shape',
  lower(node, build) {
    onlyInputs(node, 2);
    const x = operand(node, 0);
    const wanted = optionalNumbers(node, 1, 'shape') ?? node.attrs.ints('shape') ?? [];
    const shape = reshapeTarget(x.type.shape, wanted, node.attrs.flag('allowzero', false));
    if (elementCount(shape) !== elementCount(x.type.shape)) {
      throw shapeRequestInvalid('Reshape', wanted, x.type.shape);
    }
    return [build.reshape(x, shape)];
  },
};

const flatten: Lowering = {
  op: 'Flatten',
  notes: '',
  lower(node, build) {
    onlyInputs(node, 1);
    const x = operand(node, 0);
    const axis = node.attrs.int('axis', 1);
    const front = axis < 0 ? axis + rankOf(x) : axis;
    if (!(front >= 0 && front <= rankOf(x))) throw attributeMalformed('axis', `is ${axis}`);
    const { shape } = x.type;
    return [build.reshape(x, [elementCount(shape.slice(0, front)), elementCount(shape.slice(front))])];
  },
};

const squeeze: Lowering = {
  op: 'Squeeze',
  notes: '',
  lower(node, build) {
    onlyInputs(node, 2);
    const x = operand(node, 0);
    return [build.reshape(x, squeezedShape(x.type.shape, axesOf(node)))];
  },
};

const unsqueeze: Lowering = {
  op: 'Unsqueeze',
  notes: '',
  lower(node, build) {
    onlyInputs(node, 2);
    const x = operand(node, 0);
    return [build.reshape(x, unsqueezedShape(x.type.shape, axesOf(node) ?? []))];
  },
};

export const reshapes: readonly Lowering[] = [flatten, reshape, squeeze, unsqueeze];
