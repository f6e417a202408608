import type { Conv2dAttributes } from '../attributes.ts';
import type { IntegerKernel, OpCall } from '../define-op.ts';
import { accumulation, accumulationCall, finisher, packedCall, scalePerChannel } from './accumulation.ts';
import type { KernelCall, KernelParams } from './kernel-call.ts';
import { multiplyRows } from './multiply-rows.ts';
import { isWide } from './quantized.ts';
import { isReal, weightedRealCall } from './real-calls.ts';
import { realConv2d, realDepthwiseConv2d } from './real-evaluation.ts';
import {
  multiplyWideRows,
  wideAccumulation,
  wideAccumulationCall,
  wideFinisher,
} from './wide/accumulation.ts';
import { windowParams } from './window-params.ts';

/** TensorFlow Lite requantizes a pixel of a depthwise convolution in groups of 8 channels (optimized_ops.h). */
const vectorChannels = 8;

/** Window positions that fall on the input: first tap and one past the last. */
function tapsInside(start: number, taps: number, dilation: number, size: number): [number, number] {
  const first = start < 0 ? Math.ceil(-start / dilation) : 0;
  return [first, Math.min(taps, Math.ceil((size - start) / dilation))];
}

interface WindowTaps {
  /** Index of the output pixel, of the input pixel under the first tap inside, and of that tap. */
  visit(pixel: number, rowStart: number, columnStart: number, rows: Taps, columns: Taps): void;
}
type Taps = readonly [number, number];

/** Walks the output pixels of a convolution with the window taps that lie inside the input. */
function walkWindows(call: OpCall<Conv2dAttributes>, { visit }: WindowTaps): void {
  const [batch, height, width] = call.inputs[0]!.shape as [number, number, number];
  const [, kernelHeight, kernelWidth] = call.inputs[1]!.shape as [number, number, number];
  const [, outHeight, outWidth] = call.outputs[0]!.shape as [number, number, number];
  const { strides, dilations, pads } = call.attrs;
  for (let image = 0, pixel = 0; image < batch; image++) {
    for (let row = 0; row < outHeight; row++) {
      const top = row * strides[0]! - pads[0]!;
      const rows = tapsInside(top, kernelHeight, dilations[0]!, height);
      for (let column = 0; column < outWidth; column++, pixel++) {
        const left = column * strides[1]! - pads[1]!;
        const columns = tapsInside(left, kernelWidth, dilations[1]!, width);
        visit(pixel, image * height + top, left, rows, columns);
      }
    }
  }
}

/** Convolution on 16-bit activations, whose zero point is 0. */
function wideConv2d(call: OpCall<Conv2dAttributes>): IntegerKernel {
  const layer = wideAccumulation('convolution', call, 0, scalePerChannel);
  const finish = wideFinisher(layer);
  const [, , width, depth] = call.inputs[0]!.shape as [number, number, number, number];
  const [filters, kernelHeight, kernelWidth] = call.inputs[1]!.shape as [number, number, number];
  const [rowStep, columnStep] = call.attrs.dilations as [number, number];
  const patch = new Int16Array(kernelHeight * kernelWidth * depth);
  const sums = new Float64Array(filters);
  return ([x], [y]) => {
    const visit = (pixel: number, top: number, left: number, rows: Taps, columns: Taps) => {
      patch.fill(0);
      for (let row = rows[0]; row < rows[1]; row++) {
        for (let column = columns[0]; column < columns[1]; column++) {
          const from = ((top + row * rowStep) * width + left + column * columnStep) * depth;
          const tap = (x as Int16Array).subarray(from, from + depth);
          patch.set(tap, (row * kernelWidth + column) * depth);
        }
      }
      multiplyWideRows(layer.weights, patch, sums);
      for (let filter = 0; filter < filters; filter++) {
        y![pixel * filters + filter] = finish(sums[filter]!, filter);
      }
    };
    walkWindows(call, { visit });
  };
}

/** Depthwise convolution on 16-bit activations, whose zero point is 0. */
function wideDepthwiseConv2d(call: OpCall<Conv2dAttributes>): IntegerKernel {
  const layer = wideAccumulation('depthwise convolution', call, 3, scalePerChannel);
  const finish = wideFinisher(layer);
  const [, , width, depth] = call.inputs[0]!.shape as [number, number, number, number];
  const [, , kernelWidth, filters] = call.inputs[1]!.shape as [number, number, number, number];
  const [rowStep, columnStep] = call.attrs.dilations as [number, number];
  const sums = new Float64Array(filters);
  const multiplicity = filters / depth;
  return ([x], [y]) => {
    const input = x as Int16Array;
    const visit = (pixel: number, top: number, left: number, rows: Taps, columns: Taps) => {
      sums.fill(0);
      for (let row = rows[0]; row < rows[1]; row++) {
        for (let column = columns[0]; column < columns[1]; column++) {
          const from = ((top + row * rowStep) * width + left + column * columnStep) * depth;
          const taps = (row * kernelWidth + column) * filters;
          for (let filter = 0; filter < filters; filter++) {
            const channel = Math.trunc(filter / multiplicity);
            sums[filter]! += input[from + channel]! * layer.weights[taps + filter]!;
          }
        }
      }
      for (let filter = 0; filter < filters; filter++) {
        y![pixel * filters + filter] = finish(sums[filter]!, filter);
      }
    };
    walkWindows(call, { visit });
  };
}

/** Convolution; outside of the image there is the zero point. */
export function integerConv2d(call: OpCall<Conv2dAttributes>): IntegerKernel {
  if (isReal(call)) return realConv2d(call);
  if (isWide(call)) return wideConv2d(call);
  const layer = accumulation('convolution', call, 0, scalePerChannel);
  const finish = finisher(layer);
  const zero = layer.input.zeroPoint;
  const [, , width, depth] = call.inputs[0]!.shape as [number, number, number, number];
  const [filters, kernelHeight, kernelWidth] = call.inputs[1]!.shape as [number, number, number];
  const [rowStep, columnStep] = call.attrs.dilations as [number, number];
  const patch = new Int32Array(kernelHeight * kernelWidth * depth);
  const sums = new Int32Array(filters);
  return ([x], [y]) => {
    const input = x as Int8Array;
    const output = y as Int8Array;
    const visit = (pixel: number, top: number, left: number, rows: Taps, columns: Taps) => {
      // The patch holds distances from the zero point, so that what lies outside of the image is zero.
      patch.fill(0);
      for (let row = rows[0]; row < rows[1]; row++) {
        for (let column = columns[0]; column < columns[1]; column++) {
          const from = ((top + row * rowStep) * width + left + column * columnStep) * depth;
          const to = (row * kernelWidth + column) * depth;
          for (let k = 0; k < depth; k++) patch[to + k] = input[from + k]! - zero;
        }
      }
      multiplyRows(layer.weights, patch, sums);
      for (let filter = 0; filter < filters; filter++) {
        output[pixel * filters + filter] = finish(sums[filter]!, filter);
      }
    };
    walkWindows(call, { visit });
  };
}

/** Depthwise convolution; outside of the image there is the zero point. */
export function integerDepthwiseConv2d(call: OpCall<Conv2dAttributes>): IntegerKernel {
  if (isReal(call)) return realDepthwiseConv2d(call);
  if (isWide(call)) return wideDepthwiseConv2d(call);
  const layer = accumulation('depthwise convolution', call, 3, scalePerChannel, vectorChannels);
  const finish = finisher(layer);
  const { weights } = layer;
  const zero = layer.input.zeroPoint;
  const [, , width, depth] = call.inputs[0]!.shape as [number, number, number, number];
  const [, , kernelWidth, filters] = call.inputs[1]!.shape as [number, number, number, number];
  const [rowStep, columnStep] = call.attrs.dilations as [number, number];
  const sums = new Int32Array(filters);
  const multiplicity = filters / depth;
  return ([x], [y]) => {
    const input = x as Int8Array;
    const output = y as Int8Array;
    const visit = (pixel: number, top: number, left: number, rows: Taps, columns: Taps) => {
      sums.fill(0);
      for (let row = rows[0]; row < rows[1]; row++) {
        for (let column = columns[0]; column < columns[1]; column++) {
          const from = ((top + row * rowStep) * width + left + column * columnStep) * depth;
          const taps = (row * kernelWidth + column) * filters;
          for (let filter = 0; filter < filters; filter++) {
            const channel = multiplicity === 1 ? filter : Math.trunc(filter / multiplicity);
            sums[filter]! += Math.imul(input[from + channel]! - zero, weights[taps + filter]!);
          }
        }
      }
      for (let filter = 0; filter < filters; filter++) {
        output[pixel * filters + filter] = finish(sums[filter]!, filter);
      }
    };
    walkWindows(call, { visit });
  };
}

function convolutionWindow({ inputs, outputs, attrs }: OpCall<Conv2dAttributes>): KernelParams {
  return windowParams(inputs[0]!, outputs[0]!, { ...attrs, kernel: inputs[1]!.shape.slice(1, 3) });
}

/** True when every window lies inside the input. */
function withoutBorder({ attrs }: OpCall<Conv2dAttributes>): boolean {
  return attrs.pads.every((pad) => pad === 0);
}

export function conv2dCalls(call: OpCall<Conv2dAttributes>): KernelCall[] {
  if (isReal(call)) return weightedRealCall(call, 'conv2d_f32', convolutionWindow(call));
  if (isWide(call)) {
    const wide = wideAccumulation('convolution', call, 0, scalePerChannel);
    return [wideAccumulationCall('conv2d_s16', wide, convolutionWindow(call))];
  }
  const layer = accumulation('convolution', call, 0, scalePerChannel);
  const taps = layer.weights.length / layer.bias.length;
  const fold = withoutBorder(call);
  return [
    packedCall(
      call,
      accumulationCall('convolution', 'conv2d_s8', layer, convolutionWindow(call), fold, (i) =>
        Math.floor(i / taps),
      ),
    ),
  ];
}

export function depthwiseConv2dCalls(call: OpCall<Conv2dAttributes>): KernelCall[] {
  if (isReal(call)) return weightedRealCall(call, 'depthwise_conv2d_f32', convolutionWindow(call));
  if (isWide(call)) {
    const wide = wideAccumulation('depthwise convolution', call, 3, scalePerChannel);
    return [wideAccumulationCall('depthwise_conv2d_s16', wide, convolutionWindow(call))];
  }
  const layer = accumulation('depthwise convolution', call, 3, scalePerChannel, vectorChannels);
  const channels = layer.bias.length;
  return [
    accumulationCall(
      'depthwise convolution',
      'depthwise_conv2d_s8',
      layer,
      convolutionWindow(call),
      withoutBorder(call),
      (i) => i % channels,
    ),
  ];
}
