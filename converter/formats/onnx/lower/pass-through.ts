import { broadcastShapes, sameShape } from '../../../ir/tensor.ts';
import { notConvertible } from '../errors.ts';
import { elementTypeName, elementTypeOf } from '../tensor/element-type.ts';
import { shapeText } from '../text.ts';
import { type Lowering, onlyInputs, onlyOutputs, operand, optionalNumbers } from './lowering.ts';

const identity: Lowering = {
  op: 'Identity',
  notes: 'disappears',
  lower(node) {
    onlyInputs(node, 1);
    return [operand(node, 0)];
  },
};

const dropout: Lowering = {
  op: 'Dropout',
  notes: 'inference; disappears',
  lower(node) {
    onlyInputs(node, 3);
    onlyOutputs(node, 1);
    node.attrs.ignore('ratio', 'seed');
    const training = node.inputs[2];
    if (training && !(training.data && Number(training.data[0]) === 0)) {
      throw notConvertible('it is in training mode');
    }
    return [operand(node, 0)];
  },
};

const cast: Lowering = {
  op: 'Cast',
  notes: 'between float types; disappears',
  lower(node) {
    onlyInputs(node, 1);
    const code = node.attrs.int('to', 0);
    node.attrs.ignore('saturate');
    if (elementTypeOf(code)?.dtype !== 'float32') {
      throw notConvertible(`it casts computed values to ${elementTypeName(code)}`);
    }
    return [operand(node, 0)];
  },
};

const castLike: Lowering = {
  op: 'CastLike',
  notes: 'between float types; disappears',
  lower(node, build) {
    onlyInputs(node, 2);
    node.attrs.ignore('saturate');
    const [x, like] = [operand(node, 0), operand(node, 1)];
    if (x.data && like.type.dtype === 'float32') {
      return [build.constant('', x.type.shape, Float32Array.from(x.data, Number))];
    }
    if (x.type.dtype !== like.type.dtype) {
      throw notConvertible(`it casts from ${x.type.dtype} to ${like.type.dtype}`);
    }
    return [x];
  },
};

const expand: Lowering = {
  op: 'Expand',
  notes: 'to the shape that the input has; disappears',
  lower(node) {
    onlyInputs(node, 2);
    const x = operand(node, 0);
    const wanted = optionalNumbers(node, 1, 'shape') ?? [];
    const shape = broadcastShapes(x.type.shape, wanted);
    if (!shape || !sameShape(shape, x.type.shape)) {
      throw notConvertible(
        `it repeats a computed value from ${shapeText(x.type.shape)} to ${shapeText(wanted)}`,
      );
    }
    return [x];
  },
};

export const passThrough: readonly Lowering[] = [cast, castLike, dropout, expand, identity];
