import type { Tensor4D } from '@tensorflow/tfjs-core';
import { elementCount } from '../ir/tensor.ts';
import type { Conv2dAttributes } from './attributes.ts';
import { activationKind, defineOp } from './define-op.ts';
import { shapesDoNotFit } from './errors.ts';
import { depthwiseConv2dCalls, integerDepthwiseConv2d } from './integer/convolution.ts';
import { activationCode, readActivation } from './tflite/activation.ts';
import { readWeights } from './tflite/weights.ts';
import { padInput, readImage, readPads, readSteps } from './tflite/window.ts';
import { applyActivation, convolveStrided, padsKind, pairKind, tfPads, windowShape } from './window.ts';

/**
 * Inputs: x [N,H,W,C], weights [1,Kh,Kw,C*m], bias [C*m]. Result [N,Ho,Wo,C*m]; channel c*m+q reads channel c.
 */
export const depthwiseConv2d = defineOp<Conv2dAttributes>({
  name: 'depthwiseConv2d',
  summary: 'depthwise convolution with a channel multiplier, fused activation',
  arity: [3, 3],
  attrs: { strides: pairKind, dilations: pairKind, pads: padsKind, activation: activationKind },
  infer([x, weights, bias], attrs) {
    const [one, height, width, filters] = weights!.shape;
    if (x!.shape.length !== 4 || weights!.shape.length !== 4 || one !== 1 || filters! % x!.shape[3]! !== 0) {
      throw shapesDoNotFit('depthwise convolution', 'input [N,H,W,C] and weights [1,Kh,Kw,C*m] differ in C', [
        x!.shape,
        weights!.shape,
      ]);
    }
    if (bias!.shape.length !== 1 || bias!.shape[0] !== filters) {
      throw shapesDoNotFit('depthwise convolution', 'weights and bias differ in channels', [
        weights!.shape,
        bias!.shape,
      ]);
    }
    const size = windowShape('depthwise convolution', x!.shape, [height!, width!], attrs, attrs.dilations);
    return [{ dtype: x!.dtype, shape: [x!.shape[0]!, ...size, filters!] }];
  },
  float(tf, [x, weights, bias], attrs) {
    const channels = x!.shape[3]!;
    const [, height, width, filters] = weights!.shape as [number, number, number, number];
    const filter = tf.reshape(weights!, [height, width, channels, filters / channels]) as Tensor4D;
    const padded = tf.pad(x as Tensor4D, tfPads(attrs.pads));
    const dilations = attrs.dilations as [number, number];
    const sum = convolveStrided(tf, attrs, (strides) =>
      tf.depthwiseConv2d(padded, filter, strides, 'valid', 'NHWC', dilations),
    );
    return applyActivation(tf, tf.add(sum, bias!), attrs.activation);
  },
  quantize: { output: 'calibrated', weights: { weights: 1, bias: 2, axis: 3 } },
  macs: ([, weights], [y]) => elementCount(y!.shape) * weights!.shape[1]! * weights!.shape[2]!,
  integer: integerDepthwiseConv2d,
  kernels: depthwiseConv2dCalls,
  tflite: {
    versions: { float32: 1, int8: 3, int16: 5 },
    read: {
      DEPTHWISE_CONV_2D(call) {
        const x = readImage(call);
        const [weights, bias] = readWeights(call, 4, 3);
        const strides = readSteps(call, 'strideH', 'strideW');
        const dilations = readSteps(call, 'dilationHFactor', 'dilationWFactor');
        const pads = readPads(call, x.type.shape, weights.type.shape.slice(1, 3), strides, dilations);
        return {
          inputs: [x, weights, bias],
          attrs: { strides, dilations, pads, activation: readActivation(call) },
        };
      },
    },
    write(call) {
      const { attrs, inputs, output } = call;
      const [, height, width, filters] = inputs[1]!.type.shape as [number, number, number, number];
      const { before, input, padding } = padInput(call, [height, width], attrs.dilations, 0);
      const dilated = attrs.dilations.some((dilation) => dilation !== 1);
      const options = {
        padding,
        strideH: attrs.strides[0]!,
        strideW: attrs.strides[1]!,
        depthMultiplier: filters / input.type.shape[3]!,
        dilationHFactor: attrs.dilations[0]!,
        dilationWFactor: attrs.dilations[1]!,
        fusedActivationFunction: activationCode(attrs.activation),
      };
      const version = Math.max(call.version, dilated ? 2 : 1);
      const all = [input, ...inputs.slice(1)];
      return [...before, { builtin: 'DEPTHWISE_CONV_2D', version, options, inputs: all, output }];
    },
  },
});
