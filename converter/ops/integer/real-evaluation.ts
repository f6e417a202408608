import { elementCount } from '../../ir/tensor.ts';
import type { Conv2dAttributes } from '../attributes.ts';
import type { Activation, IntegerKernel, OpCall } from '../define-op.ts';
import type { PoolAttributes } from '../pool.ts';
import { realLimits } from './real-calls.ts';

// Layers that stay in float within an integer graph, step by step as the generated C computes them: every sum and
// product rounded to float32, in the order of the kernels.

const { fround } = Math;

function clampReal(activation: Activation): (x: number) => number {
  const { low, high } = realLimits(activation);
  return (x) => Math.min(Math.max(x, low), high);
}

/** Positions of a window's taps that lie inside, for each output position along one axis. */
function insideTaps(at: number, taps: number, dilation: number, size: number): number[] {
  return Array.from({ length: taps }, (_, tap) => tap).filter((tap) => {
    const position = at + tap * dilation;
    return position >= 0 && position < size;
  });
}

type Visit = (image: number, row: number, column: number, top: number, left: number) => void;

function eachPixel(
  call: OpCall<{ readonly strides: readonly number[]; readonly pads: readonly number[] }>,
  visit: Visit,
) {
  const [batch, height, width] = call.outputs[0]!.shape as [number, number, number];
  const { strides, pads } = call.attrs;
  for (let image = 0; image < batch; image++)
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++)
        visit(image, row, column, row * strides[0]! - pads[0]!, column * strides[1]! - pads[1]!);
}

export function realConv2d(call: OpCall<Conv2dAttributes>): IntegerKernel {
  const [, height, width, depth] = call.inputs[0]!.shape as [number, number, number, number];
  const [filters, rows, columns] = call.inputs[1]!.shape as [number, number, number];
  const [rowStep, columnStep] = call.attrs.dilations as [number, number];
  const limit = clampReal(call.attrs.activation);
  return ([x, w, b], [y]) => {
    const [input, weights, bias] = [x, w, b] as [Float32Array, Float32Array, Float32Array];
    let out = 0;
    eachPixel(call, (image, _row, _column, top, left) => {
      const [down, across] = [
        insideTaps(top, rows, rowStep, height),
        insideTaps(left, columns, columnStep, width),
      ];
      for (let filter = 0; filter < filters; filter++) {
        let sum = bias[filter]!;
        for (const i of down)
          for (const j of across) {
            const from = ((image * height + top + i * rowStep) * width + left + j * columnStep) * depth;
            const tap = ((filter * rows + i) * columns + j) * depth;
            for (let k = 0; k < depth; k++) sum = fround(sum + fround(input[from + k]! * weights[tap + k]!));
          }
        y![out++] = limit(sum);
      }
    });
  };
}

export function realDepthwiseConv2d(call: OpCall<Conv2dAttributes>): IntegerKernel {
  const [, height, width, depth] = call.inputs[0]!.shape as [number, number, number, number];
  const [, rows, columns, filters] = call.inputs[1]!.shape as [number, number, number, number];
  const [rowStep, columnStep] = call.attrs.dilations as [number, number];
  const limit = clampReal(call.attrs.activation);
  return ([x, w, b], [y]) => {
    const [input, weights, bias] = [x, w, b] as [Float32Array, Float32Array, Float32Array];
    let out = 0;
    eachPixel(call, (image, _row, _column, top, left) => {
      const [down, across] = [
        insideTaps(top, rows, rowStep, height),
        insideTaps(left, columns, columnStep, width),
      ];
      for (let filter = 0; filter < filters; filter++) {
        const channel = Math.trunc((filter * depth) / filters);
        let sum = bias[filter]!;
        for (const i of down)
          for (const j of across) {
            const from =
              ((image * height + top + i * rowStep) * width + left + j * columnStep) * depth + channel;
            sum = fround(sum + fround(input[from]! * weights[(i * columns + j) * filters + filter]!));
          }
        y![out++] = limit(sum);
      }
    });
  };
}

export function realFullyConnected(call: OpCall<{ readonly activation: Activation }>): IntegerKernel {
  const [units, depth] = call.inputs[1]!.shape as [number, number];
  const rows = elementCount(call.inputs[0]!.shape) / depth;
  const limit = clampReal(call.attrs.activation);
  return ([x, w, b], [y]) => {
    const [input, weights, bias] = [x, w, b] as [Float32Array, Float32Array, Float32Array];
    for (let row = 0; row < rows; row++)
      for (let unit = 0; unit < units; unit++) {
        let sum = bias[unit]!;
        for (let k = 0; k < depth; k++)
          sum = fround(sum + fround(input[row * depth + k]! * weights[unit * depth + k]!));
        y![row * units + unit] = limit(sum);
      }
  };
}

/** Pooling of the part of each window that lies inside. */
export function realPool(call: OpCall<PoolAttributes>, kind: 'average' | 'max'): IntegerKernel {
  const [, height, width, depth] = call.inputs[0]!.shape as [number, number, number, number];
  const [rows, columns] = call.attrs.filter as [number, number];
  const limit = clampReal(call.attrs.activation);
  return ([x], [y]) => {
    const input = x as Float32Array;
    let out = 0;
    eachPixel(call, (image, _row, _column, top, left) => {
      const [down, across] = [insideTaps(top, rows, 1, height), insideTaps(left, columns, 1, width)];
      for (let channel = 0; channel < depth; channel++) {
        let [sum, most] = [0, Number.NEGATIVE_INFINITY];
        for (const i of down)
          for (const j of across) {
            const value = input[((image * height + top + i) * width + left + j) * depth + channel]!;
            sum = fround(sum + value);
            most = Math.max(most, value);
          }
        y![out++] = limit(kind === 'max' ? most : fround(sum / (down.length * across.length)));
      }
    });
  };
}
