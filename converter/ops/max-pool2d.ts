import type { Tensor4D } from '@tensorflow/tfjs-core';
import { defineOp } from './define-op.ts';
import { maxPool } from './integer/pool.ts';
import {
  inferPool,
  type PoolAttributes,
  poolAttributes,
  poolOptions,
  poolVersions,
  readPool,
} from './pool.ts';
import { padInput } from './tflite/window.ts';
import { applyActivation, tfPads } from './window.ts';

/** Least finite float32, which no real activation is below: the padding of a maximum. */
const lowest = -3.4028234663852886e38;

export const maxPool2d = defineOp<PoolAttributes>({
  name: 'maxPool2d',
  summary: 'maximum over sliding windows, fused activation',
  arity: [1, 1],
  attrs: poolAttributes,
  infer: ([x], attrs) => inferPool('max pooling', x!, attrs),
  float(tf, [x], attrs) {
    const padded = tf.pad(x as Tensor4D, tfPads(attrs.pads), lowest);
    const pooled = tf.maxPool(
      padded,
      attrs.filter as [number, number],
      attrs.strides as [number, number],
      'valid',
    );
    return applyActivation(tf, pooled, attrs.activation);
  },
  quantize: { output: 'same' },
  ...maxPool,
  tflite: {
    versions: poolVersions,
    read: { MAX_POOL_2D: readPool },
    write(call) {
      const { attrs, output, version } = call;
      const { before, input, padding } = padInput(call, attrs.filter, [1, 1], lowest);
      const options = poolOptions(attrs, padding);
      return [...before, { builtin: 'MAX_POOL_2D', version, options, inputs: [input], output }];
    },
  },
});
