import type { Tensor4D } from '@tensorflow/tfjs-core';
import type { Conv2dAttributes } from './attributes.ts';
import { activationKind, defineOp } from './define-op.ts';
import { shapesDoNotFit } from './errors.ts';
import { conv2dCalls, integerConv2d } from './integer/convolution.ts';
import { activationCode, readActivation } from './tflite/activation.ts';
import { packedVersion, readWeights } from './tflite/weights.ts';
import { padInput, readImage, readPads, readSteps } from './tflite/window.ts';
import { applyActivation, convolveStrided, padsKind, pairKind, tfPads, windowShape } from './window.ts';

/** Inputs: x [N,H,W,Ci], weights [Co,Kh,Kw,Ci], bias [Co]. Result [N,Ho,Wo,Co]. */
export const conv2d = defineOp<Conv2dAttributes>({
  name: 'conv2d',
  summary: 'two-dimensional convolution, fused activation',
  arity: [3, 3],
  attrs: { strides: pairKind, dilations: pairKind, pads: padsKind, activation: activationKind },
  infer([x, weights, bias], attrs) {
    const [, , , channels] = x!.shape;
    const [filters, height, width, depth] = weights!.shape;
    if (x!.shape.length !== 4 || weights!.shape.length !== 4 || channels !== depth) {
      throw shapesDoNotFit('convolution', 'input [N,H,W,Ci] and weights [Co,Kh,Kw,Ci] differ in Ci', [
        x!.shape,
        weights!.shape,
      ]);
    }
    if (bias!.shape.length !== 1 || bias!.shape[0] !== filters) {
      throw shapesDoNotFit('convolution', 'weights and bias differ in Co', [weights!.shape, bias!.shape]);
    }
    const size = windowShape('convolution', x!.shape, [height!, width!], attrs, attrs.dilations);
    return [{ dtype: x!.dtype, shape: [x!.shape[0]!, ...size, filters!] }];
  },
  float(tf, [x, weights, bias], attrs) {
    const filter = tf.transpose(weights!, [1, 2, 3, 0]) as Tensor4D;
    const padded = tf.pad(x as Tensor4D, tfPads(attrs.pads));
    const dilations = attrs.dilations as [number, number];
    const sum = convolveStrided(tf, attrs, (strides) =>
      tf.conv2d(padded, filter, strides, 'valid', 'NHWC', dilations),
    );
    return applyActivation(tf, tf.add(sum, bias!), attrs.activation);
  },
  quantize: { output: 'calibrated', weights: { weights: 1, bias: 2, axis: 0 } },
  macs: ([, weights], [y]) => {
    const [, height, width, depth] = weights!.shape;
    return y!.shape.reduce((a, b) => a * b, 1) * height! * width! * depth!;
  },
  integer: integerConv2d,
  kernels: conv2dCalls,
  tflite: {
    versions: { float32: 1, int8: 3, int16: 4 },
    read: {
      CONV_2D(call) {
        const x = readImage(call);
        const [weights, bias] = readWeights(call, 4, 0);
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
      const { attrs, inputs, output, version } = call;
      const { before, input, padding } = padInput(
        call,
        inputs[1]!.type.shape.slice(1, 3),
        attrs.dilations,
        0,
      );
      const options = {
        padding,
        strideH: attrs.strides[0]!,
        strideW: attrs.strides[1]!,
        dilationHFactor: attrs.dilations[0]!,
        dilationWFactor: attrs.dilations[1]!,
        fusedActivationFunction: activationCode(attrs.activation),
      };
      const all = [input, ...inputs.slice(1)];
      return [
        ...before,
        { builtin: 'CONV_2D', version: packedVersion(inputs[1]!, version, 7), options, inputs: all, output },
      ];
    },
  },
});
