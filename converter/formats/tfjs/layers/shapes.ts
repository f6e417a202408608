import type { Value } from '../../../ir/types.ts';
import { asImage, asSequence, pool, resolveShape } from '../operations.ts';
import { paddingOf } from './convolutions.ts';
import { channelsLast, type KerasLayer, type LowerLayer, only } from './layer.ts';

function pool2d(op: 'maxPool2d' | 'averagePool2d'): LowerLayer {
  return (layer) => {
    channelsLast(layer);
    const { config, build } = layer;
    const filter = config.integers('pool_size', 2, [2, 2]);
    const strides = config.integers('strides', 2, filter);
    return pool(build, op, only(layer), filter, { strides, padding: paddingOf(layer) });
  };
}

function pool1d(op: 'maxPool2d' | 'averagePool2d'): LowerLayer {
  return (layer) => {
    channelsLast(layer);
    const { config, build } = layer;
    const [filter] = config.integers('pool_size', 1, [2]);
    const [stride] = config.integers('strides', 1, [filter!]);
    const sliding = { strides: [1, stride!], padding: paddingOf(layer) };
    return asSequence(build, pool(build, op, asImage(build, only(layer)), [1, filter!], sliding));
  };
}

/** Everything but batch and channels. */
function spatialAxes(layer: KerasLayer, rank: number): { x: Value; axes: number[]; keepDims: boolean } {
  channelsLast(layer);
  const x = only(layer);
  if (x.type.shape.length !== rank)
    throw layer.build.refuse(layer.kind, `its input has the shape [${x.type.shape}]`);
  const axes = Array.from({ length: rank - 2 }, (_, i) => i + 1);
  return { x, axes, keepDims: layer.config.flag('keepdims', false) };
}

function globalMean(rank: number): LowerLayer {
  return (layer) => {
    const { x, axes, keepDims } = spatialAxes(layer, rank);
    return layer.build.emit('mean', [x], { axes, keepDims });
  };
}

function globalMaximum(rank: number): LowerLayer {
  return (layer) => {
    const { x, keepDims } = spatialAxes(layer, rank);
    const { build } = layer;
    const image = rank === 3 ? asImage(build, x) : x;
    const filter = image.type.shape.slice(1, 3);
    const most = pool(build, 'maxPool2d', image, filter, { strides: [1, 1], padding: 'valid' });
    const channels = x.type.shape.at(-1)!;
    const kept = new Array<number>(rank - 2).fill(1);
    return build.reshape(most, [1, ...(keepDims ? kept : []), channels]);
  };
}

const flatten: LowerLayer = (layer) => {
  channelsLast(layer);
  return layer.build.reshape(only(layer), resolveShape(layer.build, only(layer), [1, -1]));
};

const reshape: LowerLayer = (layer) => {
  const target = layer.config.sizes('target_shape');
  return layer.build.reshape(only(layer), resolveShape(layer.build, only(layer), [1, ...target]));
};

const permute: LowerLayer = (layer) => {
  const dims = layer.config.integers('dims');
  const x = only(layer);
  const complete = dims.length === x.type.shape.length - 1 && new Set(dims).size === dims.length;
  if (!complete || dims.some((dim) => dim < 1 || dim >= x.type.shape.length)) {
    throw layer.build.refuse(layer.kind, `its dims are [${dims}]`);
  }
  return layer.build.transpose(x, [0, ...dims]);
};

/** `padding` or `cropping`: one number, one for each axis, or a pair for each axis. */
function pairsOf({ config, build, kind }: KerasLayer, key: string, axes: number): number[][] {
  const given = config.raw(key);
  const list = Array.isArray(given) ? given : new Array<unknown>(axes).fill(given ?? 1);
  const flat =
    axes === 1 && list.length === 2 && list.every((item) => typeof item === 'number') ? [list] : list;
  const pairs = flat.map((item) => (Array.isArray(item) ? item : [item, item]) as unknown[]);
  const valid = pairs.every(
    (pair) => pair.length === 2 && pair.every((n) => Number.isSafeInteger(n) && Number(n) >= 0),
  );
  if (!valid || pairs.length !== axes) throw build.refuse(kind, `its ${key} cannot be read`);
  return pairs as number[][];
}

function zeroPadding(axes: number): LowerLayer {
  return (layer) => {
    channelsLast(layer);
    const pads = [0, 0, ...pairsOf(layer, 'padding', axes).flat(), 0, 0];
    return layer.build.emit('pad', [only(layer)], { pads, value: 0 });
  };
}

function cropping(axes: number): LowerLayer {
  return (layer) => {
    channelsLast(layer);
    const x = only(layer);
    const pairs = [[0, 0], ...pairsOf(layer, 'cropping', axes), [0, 0]];
    const begin = pairs.map(([before]) => before!);
    const size = x.type.shape.map((extent, axis) => extent - begin[axis]! - (pairs[axis]?.[1] ?? 0));
    if (size.some((extent) => extent < 1)) throw layer.build.refuse(layer.kind, 'it crops everything');
    return layer.build.emit('slice', [x], { begin, size, strides: x.type.shape.map(() => 1) });
  };
}

export const shapes: Readonly<Record<string, LowerLayer>> = {
  MaxPooling1D: pool1d('maxPool2d'),
  MaxPooling2D: pool2d('maxPool2d'),
  AveragePooling1D: pool1d('averagePool2d'),
  AveragePooling2D: pool2d('averagePool2d'),
  GlobalAveragePooling1D: globalMean(3),
  GlobalAveragePooling2D: globalMean(4),
  GlobalMaxPooling1D: globalMaximum(3),
  GlobalMaxPooling2D: globalMaximum(4),
  Flatten: flatten,
  Reshape: reshape,
  Permute: permute,
  ZeroPadding1D: zeroPadding(1),
  ZeroPadding2D: zeroPadding(2),
  Cropping1D: cropping(1),
  Cropping2D: cropping(2),
};
