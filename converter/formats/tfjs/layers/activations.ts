import type { Value } from '../../../ir/types.ts';
import { isObject } from '../json.ts';
import { activate, activationNames } from '../operations.ts';
import { type KerasLayer, type LowerLayer, only } from './layer.ts';

/** `activation` as Keras writes it: a name, or an object of a class. */
function activationOf({ config, build, kind }: KerasLayer): string {
  const given = config.raw('activation');
  if (given === undefined || given === null) return 'linear';
  if (typeof given === 'string') return given;
  if (isObject(given) && typeof given['class_name'] === 'string') return given['class_name'].toLowerCase();
  throw build.refuse(kind, 'its activation is neither a name nor a class');
}

/** The layer's own activation behind its result. */
export function activated(layer: KerasLayer, x: Value): Value {
  const name = activationOf(layer);
  const result = activate(layer.build, x, name);
  if (result) return result;
  throw layer.build.refuse(
    layer.kind,
    `its activation is ${name.slice(0, 80)}; possible are ${activationNames.join(', ')}`,
  );
}

const relu: LowerLayer = (layer) => {
  const { config, build, kind } = layer;
  const x = only(layer);
  const slope = config.number('negative_slope', 0);
  const most = config.has('max_value') ? config.number('max_value') : undefined;
  if (config.number('threshold', 0) !== 0) throw build.refuse(kind, 'it has a threshold');
  if (slope !== 0 && most !== undefined) throw build.refuse(kind, 'it has both a slope and a greatest value');
  if (slope !== 0) return build.emit('leakyRelu', [x], { alpha: slope });
  if (most === undefined) return build.unary('relu', x);
  if (most === 6) return build.unary('relu6', x);
  return build.binary('minimum', build.unary('relu', x), build.scalar(most));
};

const leakyRelu: LowerLayer = (layer) => {
  const { config, build } = layer;
  const alpha = config.has('negative_slope') ? config.number('negative_slope') : config.number('alpha', 0.3);
  return build.emit('leakyRelu', [only(layer)], { alpha });
};

const elu: LowerLayer = (layer) => {
  const { config, build, kind } = layer;
  if (config.number('alpha', 1) !== 1) throw build.refuse(kind, 'its alpha is not 1');
  return build.unary('elu', only(layer));
};

const softmax: LowerLayer = (layer) => {
  const { config, build, kind } = layer;
  const x = only(layer);
  const [axis] = config.integers('axis', 1, [-1]);
  if (axis !== -1 && axis !== x.type.shape.length - 1)
    throw build.refuse(kind, 'its axis is not the last one');
  return build.emit('softmax', [x], { beta: 1 });
};

export const activations: Readonly<Record<string, LowerLayer>> = {
  Activation: (layer) => activated(layer, only(layer)),
  ReLU: relu,
  LeakyReLU: leakyRelu,
  ELU: elu,
  Softmax: softmax,
};
