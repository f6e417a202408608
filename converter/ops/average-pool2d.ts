import type { Tensor4D } from '@tensorflow/tfjs-core';
import { defineOp } from './define-op.ts';
import { inferPool, type PoolAttributes, poolAttributes } from './pool.ts';
import { applyActivation, tfPads } from './window.ts';

/** Mean over windows; padding does not count towards the mean. */
export const averagePool2d = defineOp<PoolAttributes>({
  name: 'averagePool2d',
  summary: 'mean over sliding windows, padding not counted, fused activation',
  arity: [1, 1],
  attrs: poolAttributes,
  infer: ([x], attrs) => inferPool('average pooling', x!, attrs),
  float(tf, [x], attrs) {
    const window = attrs.filter as [number, number];
    const strides = attrs.strides as [number, number];
    const pool = (t: Tensor4D) => tf.avgPool(t, window, strides, 'valid');
    const mean = pool(tf.pad(x as Tensor4D, tfPads(attrs.pads)));
    if (attrs.pads.every((pad) => pad === 0)) return applyActivation(tf, mean, attrs.activation);
    const ones = tf.ones([1, x!.shape[1]!, x!.shape[2]!, 1]) as Tensor4D;
    const share = pool(tf.pad(ones, tfPads(attrs.pads)));
    return applyActivation(tf, tf.div(mean, share), attrs.activation);
  },
  quantize: { output: 'same' },
});
