import type { GradConfig, NamedAttrMap, Tensor } from '@tensorflow/tfjs-core';
import type { Tf } from '../ops/define-op.ts';
import { maximumGradient } from './window-gradients.ts';

/**
 * Gradients of the tfjs kernels that our operators and losses use. tfjs-core for Node.js comes without any: they are a
 * part of the whole tfjs package, which weighs several times as much and brings all backends along.
 */
type Gradient = (tf: Tf) => Omit<GradConfig, 'kernelName' | 'gradFunc'> & {
  readonly gradFunc: (
    dy: Tensor,
    saved: readonly Tensor[],
    attrs: NamedAttrMap,
  ) => Record<string, () => Tensor>;
};

/** An operation of one input `x`; `by` gives dx from what is saved. */
function unary(
  saves: 'input' | 'output' | 'none',
  by: (tf: Tf, dy: Tensor, saved: Tensor, attrs: NamedAttrMap) => Tensor,
  input = 'x',
): Gradient {
  return (tf) => ({
    ...(saves === 'input' ? { inputsToSave: [input] } : {}),
    ...(saves === 'output' ? { outputsToSave: [true] } : {}),
    gradFunc: (dy, saved, attrs) => ({ [input]: () => by(tf, dy, saved[0]!, attrs) }),
  });
}

/** The sum of `gradient` over the axes along which `shape` was repeated. */
function unbroadcast(tf: Tf, gradient: Tensor, shape: number[]): Tensor {
  const axes = tf.broadcast_util.getReductionAxes(shape, gradient.shape);
  return tf.reshape(axes.length > 0 ? tf.sum(gradient, axes) : gradient, shape);
}

type Side = (tf: Tf, dy: Tensor, a: Tensor, b: Tensor) => Tensor;

/** An operation of two inputs `a` and `b` that broadcast. */
function binary(byA: Side, byB: Side): Gradient {
  return (tf) => ({
    inputsToSave: ['a', 'b'],
    gradFunc: (dy, [a, b]) => ({
      a: () => unbroadcast(tf, byA(tf, dy, a!, b!), a!.shape),
      b: () => unbroadcast(tf, byB(tf, dy, a!, b!), b!.shape),
    }),
  });
}

const where = (tf: Tf, condition: Tensor, dy: Tensor) => tf.mul(dy, tf.cast(condition, 'float32'));

/** `dy` of a reduction with its reduced axes put back, so that it broadcasts to `shape`. */
function expand(tf: Tf, dy: Tensor, shape: readonly number[], axis: unknown): Tensor {
  const axes = new Set(tf.util.parseAxisParam(axis as number[], [...shape]));
  const kept = shape.map((size, i) => (axes.has(i) ? 1 : size));
  return tf.mul(tf.reshape(dy, kept), tf.ones([...shape]));
}

const pair = (value: unknown): [number, number] =>
  (Array.isArray(value) ? value : [value, value]) as [number, number];

const averagePool: Gradient = (tf) => ({
  inputsToSave: ['x'],
  gradFunc: (dy, [x], { filterSize, strides, pad, dimRoundingMode }) => ({
    x: () =>
      tf
        .engine()
        .runKernel(
          'AvgPoolGrad',
          { dy, input: x! },
          { filterSize: filterSize!, strides: strides!, pad: pad!, dimRoundingMode: dimRoundingMode! },
        ) as Tensor,
  }),
});

/** The WebAssembly backend's own MaxPoolGrad drops some gradients. Our operators pool without padding. */
const maxPool: Gradient = (tf) => ({
  inputsToSave: ['x'],
  outputsToSave: [true],
  gradFunc: (dy, [x, y], { filterSize, strides }) => ({
    x: () => {
      const [batch, height, width, channels] = x!.shape as [number, number, number, number];
      const [kernelHeight, kernelWidth] = pair(filterSize);
      const dx = maximumGradient(
        x!.dataSync() as Float32Array,
        y!.dataSync() as Float32Array,
        dy.dataSync() as Float32Array,
        {
          batch,
          height,
          width,
          channels,
          outHeight: y!.shape[1]!,
          outWidth: y!.shape[2]!,
          kernelHeight,
          kernelWidth,
          strides: pair(strides),
          dilations: [1, 1],
          pads: [0, 0, 0, 0],
        },
      );
      return tf.tensor(dx, x!.shape);
    },
  }),
});

const concat: Gradient = (tf) => ({
  saveAllInputs: true,
  gradFunc: (dy, saved, { axis }) => {
    const along = tf.util.parseAxisParam(axis as number, saved[0]!.shape)[0]!;
    const parts = tf.split(
      dy,
      saved.map((part) => part.shape[along]!),
      along,
    );
    return Object.fromEntries(parts.map((part, i) => [String(i), () => part]));
  },
});

const slice: Gradient = (tf) => ({
  inputsToSave: ['x'],
  gradFunc: (dy, [x], { begin }) => ({
    x: () => {
      const before = begin as number[];
      const pads = x!.shape.map((size, i): [number, number] => [
        before[i]!,
        size - before[i]! - dy.shape[i]!,
      ]);
      return tf.pad(dy, pads);
    },
  }),
});

const matMul: Gradient = (tf) => ({
  inputsToSave: ['a', 'b'],
  gradFunc: (dy, [a, b], { transposeA, transposeB }) => {
    const product = (x: Tensor, y: Tensor, xT: boolean, yT: boolean) => () => tf.matMul(x, y, xT, yT);
    if (!transposeA)
      return {
        a: product(dy, b!, false, !transposeB),
        b: transposeB ? product(dy, a!, true, false) : product(a!, dy, true, false),
      };
    return {
      a: product(b!, dy, transposeB as boolean, true),
      b: transposeB ? product(dy, a!, true, true) : product(a!, dy, false, false),
    };
  },
});

const gradients: Readonly<Record<string, Gradient>> = {
  Abs: unary('input', (tf, dy, x) =>
    tf.mul(dy, tf.sub(tf.cast(tf.greater(x, 0), 'float32'), tf.cast(tf.less(x, 0), 'float32'))),
  ),
  Add: binary(
    (_, dy) => dy,
    (_, dy) => dy,
  ),
  AddN: (tf) => ({
    saveAllInputs: true,
    gradFunc: (dy, saved) => Object.fromEntries(saved.map((_, i) => [String(i), () => tf.clone(dy)])),
  }),
  AvgPool: averagePool,
  BatchMatMul: matMul,
  Cast: unary('none', (_, dy) => dy),
  ClipByValue: unary('input', (tf, dy, x, { clipValueMin, clipValueMax }) =>
    where(tf, tf.logicalAnd(tf.greater(x, clipValueMin as number), tf.less(x, clipValueMax as number)), dy),
  ),
  Concat: concat,
  Elu: unary('output', (tf, dy, y) => tf.mul(dy, tf.minimum(tf.add(y, 1), 1))),
  Exp: unary('output', (tf, dy, y) => tf.mul(dy, y)),
  ExpandDims: unary('input', (tf, dy, x) => tf.reshape(dy, x.shape), 'input'),
  Identity: unary('none', (_, dy) => dy),
  LeakyRelu: unary('input', (tf, dy, x, { alpha }) => {
    const positive = tf.cast(tf.greater(x, 0), 'float32');
    return tf.mul(dy, tf.add(tf.mul(positive, 1 - (alpha as number)), alpha as number));
  }),
  Log: unary('input', (tf, dy, x) => tf.div(dy, x)),
  Max: (tf) => ({
    inputsToSave: ['x'],
    outputsToSave: [true],
    gradFunc: (dy, [x, y], { reductionIndices }) => ({
      x: () => {
        const top = expand(tf, y!, x!.shape, reductionIndices);
        return where(tf, tf.equal(x!, top), expand(tf, dy, x!.shape, reductionIndices));
      },
    }),
  }),
  Maximum: binary(
    (tf, dy, a, b) => where(tf, tf.greaterEqual(a, b), dy),
    (tf, dy, a, b) => where(tf, tf.less(a, b), dy),
  ),
  MaxPool: maxPool,
  Mean: unary('input', (tf, dy, x, { axis }) => {
    const wide = expand(tf, dy, x.shape, axis);
    return tf.mul(wide, dy.size / x.size);
  }),
  Minimum: binary(
    (tf, dy, a, b) => where(tf, tf.lessEqual(a, b), dy),
    (tf, dy, a, b) => where(tf, tf.greater(a, b), dy),
  ),
  Multiply: binary(
    (tf, dy, _, b) => tf.mul(dy, b),
    (tf, dy, a) => tf.mul(dy, a),
  ),
  Neg: unary('none', (tf, dy) => tf.neg(dy)),
  PadV2: unary('input', (tf, dy, x, { paddings }) =>
    tf.slice(
      dy,
      (paddings as unknown as number[][]).map(([before]) => before!),
      x.shape,
    ),
  ),
  RealDiv: binary(
    (tf, dy, _, b) => tf.div(dy, b),
    (tf, dy, a, b) => tf.neg(tf.div(tf.mul(dy, a), tf.mul(b, b))),
  ),
  Relu: unary('output', (tf, dy, y) => where(tf, tf.greater(y, 0), dy)),
  Relu6: unary('output', (tf, dy, y) => where(tf, tf.logicalAnd(tf.greater(y, 0), tf.less(y, 6)), dy)),
  Reshape: unary('input', (tf, dy, x) => tf.reshape(dy, x.shape)),
  Sigmoid: unary('output', (tf, dy, y) => tf.mul(dy, tf.mul(y, tf.sub(1, y)))),
  Slice: slice,
  Softmax: unary(
    'output',
    (tf, dy, y) => {
      const weighted = tf.mul(dy, y);
      return tf.sub(weighted, tf.mul(tf.sum(weighted, -1, true), y));
    },
    'logits',
  ),
  Softplus: unary('input', (tf, dy, x) => tf.mul(dy, tf.sigmoid(x))),
  Sqrt: unary('output', (tf, dy, y) => tf.div(dy, tf.mul(y, 2))),
  Square: unary('input', (tf, dy, x) => tf.mul(dy, tf.mul(x, 2))),
  SquaredDifference: binary(
    (tf, dy, a, b) => tf.mul(dy, tf.mul(tf.sub(a, b), 2)),
    (tf, dy, a, b) => tf.mul(dy, tf.mul(tf.sub(b, a), 2)),
  ),
  Sub: binary(
    (_, dy) => dy,
    (tf, dy) => tf.neg(dy),
  ),
  Sum: unary('input', (tf, dy, x, { axis }) => expand(tf, dy, x.shape, axis)),
  Tanh: unary('output', (tf, dy, y) => tf.mul(dy, tf.sub(1, tf.mul(y, y)))),
  Transpose: unary('none', (tf, dy, _, { perm }) =>
    tf.transpose(dy, tf.backend_util.getUndoAxesPermutation(perm as number[])),
  ),
};

/** Registers the gradients that nobody has registered yet. */
export function registerGradients(tf: Tf): void {
  for (const [kernelName, make] of Object.entries(gradients)) {
    if (tf.getGradient(kernelName)) continue;
    const { gradFunc, ...rest } = make(tf);
    tf.registerGradient({
      kernelName,
      ...rest,
      gradFunc: (dy, saved, attrs) => gradFunc(dy as Tensor, saved, attrs),
    });
  }
}
