import type { Tensor4D } from '@tensorflow/tfjs-core';
import { defineOp } from './define-op.ts';
import { averagePool } from './integer/pool.ts';
import {
  inferPool,
  type PoolAttributes,
  poolAttributes,
  poolOptions,
  poolVersions,
  readPool,
} from './pool.ts';
import { paddingOf } from './tflite/window.ts';
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
  ...averagePool,
  tflite: {
    versions: poolVersions,
    read: { AVERAGE_POOL_2D: readPool },
    write({ attrs, inputs, output, version, refuse }) {
      const padding = paddingOf(inputs[0]!.type.shape, attrs.filter, attrs);
      if (padding === undefined) {
        throw refuse(
          `its pads ${attrs.pads.join(', ')} (top, left, bottom, right) are neither SAME nor VALID`,
          'pool without padding, or with the same padding on both sides and stride 1',
        );
      }
      const options = poolOptions(attrs, padding);
      return [{ builtin: 'AVERAGE_POOL_2D', version, options, inputs, output }];
    },
  },
});
