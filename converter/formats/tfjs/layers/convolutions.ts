import type { Value } from '../../../ir/types.ts';
import type { Padding } from '../builder.ts';
import { asImage, asSequence, convolve, convolveDepthwise, type Sliding } from '../operations.ts';
import { activated } from './activations.ts';
import { channelsLast, type KerasLayer, type LowerLayer, only } from './layer.ts';

export function paddingOf({ config, build, kind }: KerasLayer): Padding {
  const padding = config.text('padding', 'valid');
  if (padding === 'same' || padding === 'valid') return padding;
  throw build.refuse(kind, `its padding is ${padding}`);
}

const biasOf = (layer: KerasLayer): Value | undefined =>
  layer.config.flag('use_bias', true) ? layer.weight('bias') : undefined;

function slidingOf(layer: KerasLayer): Sliding {
  const { config, build, kind } = layer;
  if (config.number('groups', 1) !== 1) throw build.refuse(kind, 'it has groups');
  return {
    strides: config.integers('strides', 2, [1, 1]),
    dilations: config.integers('dilation_rate', 2, [1, 1]),
    padding: paddingOf(layer),
  };
}

/** Causal padding stands all before the sequence. */
function slidingAlong(layer: KerasLayer, kernel: number): Sliding {
  const { config, build, kind } = layer;
  if (config.number('groups', 1) !== 1) throw build.refuse(kind, 'it has groups');
  const [stride] = config.integers('strides', 1, [1]);
  const [dilation] = config.integers('dilation_rate', 1, [1]);
  const causal = config.text('padding', 'valid') === 'causal';
  const padding = causal ? [0, (kernel - 1) * dilation!, 0, 0] : paddingOf(layer);
  return { strides: [1, stride!], dilations: [1, dilation!], padding };
}

const conv2d: LowerLayer = (layer) => {
  channelsLast(layer);
  return activated(
    layer,
    convolve(layer.build, only(layer), layer.weight('kernel'), biasOf(layer), slidingOf(layer)),
  );
};

const conv1d: LowerLayer = (layer) => {
  channelsLast(layer);
  const { build } = layer;
  const kernel = layer.weight('kernel');
  const [width, depth, filters] = kernel.type.shape as [number, number, number];
  const wide = build.reshape(kernel, [1, width, depth, filters]);
  const image = convolve(build, asImage(build, only(layer)), wide, biasOf(layer), slidingAlong(layer, width));
  return activated(layer, asSequence(build, image));
};

const depthwiseConv2d: LowerLayer = (layer) => {
  channelsLast(layer);
  const kernel = layer.weight('depthwise_kernel');
  return activated(
    layer,
    convolveDepthwise(layer.build, only(layer), kernel, biasOf(layer), slidingOf(layer)),
  );
};

const separableConv2d: LowerLayer = (layer) => {
  channelsLast(layer);
  const { build } = layer;
  const spatial = convolveDepthwise(
    build,
    only(layer),
    layer.weight('depthwise_kernel'),
    undefined,
    slidingOf(layer),
  );
  const point: Sliding = { strides: [1, 1], dilations: [1, 1], padding: 'valid' };
  return activated(layer, convolve(build, spatial, layer.weight('pointwise_kernel'), biasOf(layer), point));
};

export const convolutions: Readonly<Record<string, LowerLayer>> = {
  Conv1D: conv1d,
  Conv2D: conv2d,
  DepthwiseConv2D: depthwiseConv2d,
  SeparableConv2D: separableConv2d,
};
