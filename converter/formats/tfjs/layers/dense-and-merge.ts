import type { Value } from '../../../ir/types.ts';
import { connect, normalize } from '../operations.ts';
import { activated } from './activations.ts';
import { type KerasLayer, type LowerLayer, only } from './layer.ts';

const dense: LowerLayer = (layer) => {
  const bias = layer.config.flag('use_bias', true) ? layer.weight('bias') : undefined;
  return activated(layer, connect(layer.build, only(layer), layer.weight('kernel'), bias));
};

const batchNormalization: LowerLayer = (layer) => {
  const { config, build, kind } = layer;
  const x = only(layer);
  const [axis] = config.integers('axis', 1, [-1]);
  if (axis !== -1 && axis !== x.type.shape.length - 1)
    throw build.refuse(kind, 'its axis is not the last one');
  return normalize(build, x, {
    gamma: config.flag('scale', true) ? layer.weight('gamma') : undefined,
    beta: config.flag('center', true) ? layer.weight('beta') : undefined,
    mean: layer.weight('moving_mean'),
    variance: layer.weight('moving_variance'),
    epsilon: config.number('epsilon', 1e-3),
  });
};

const rescaling: LowerLayer = (layer) => {
  const { config, build } = layer;
  const product = build.binary('mul', only(layer), build.scalar(config.number('scale')));
  const offset = config.number('offset', 0);
  return offset === 0 ? product : build.binary('add', product, build.scalar(offset));
};

function several({ inputs, build, kind }: KerasLayer): readonly Value[] {
  if (inputs.length < 2) throw build.refuse(kind, `it has ${inputs.length} inputs`);
  return inputs;
}

function merged(op: string): LowerLayer {
  return (layer) => several(layer).reduce((a, b) => layer.build.binary(op, a, b));
}

const average: LowerLayer = (layer) =>
  layer.build.binary('mul', merged('add')(layer), layer.build.scalar(1 / layer.inputs.length));

const concatenate: LowerLayer = (layer) => {
  const { config, build, kind } = layer;
  const inputs = several(layer);
  const rank = inputs[0]!.type.shape.length;
  const [given] = config.integers('axis', 1, [-1]);
  const axis = given! < 0 ? given! + rank : given!;
  if (axis < 1 || axis >= rank) throw build.refuse(kind, `its axis is ${given}`);
  return build.emit('concatenation', inputs, { axis });
};

/** What does nothing once the network is trained. */
const identity: LowerLayer = (layer) => only(layer);

export const denseAndMerge: Readonly<Record<string, LowerLayer>> = {
  Dense: dense,
  BatchNormalization: batchNormalization,
  Rescaling: rescaling,
  Add: merged('add'),
  Subtract: merged('sub'),
  Multiply: merged('mul'),
  Maximum: merged('maximum'),
  Minimum: merged('minimum'),
  Average: average,
  Concatenate: concatenate,
  Dropout: identity,
  SpatialDropout1D: identity,
  SpatialDropout2D: identity,
  GaussianNoise: identity,
  GaussianDropout: identity,
  AlphaDropout: identity,
  ActivityRegularization: identity,
};
