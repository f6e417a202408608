import { elementBytes, elementCount, stridesOf } from '../../ir/tensor.ts';
import type { Shape, TensorData, TensorType } from '../../ir/types.ts';
import type {
  ConcatenationAttributes,
  PadAttributes,
  SliceAttributes,
  TransposeAttributes,
} from '../attributes.ts';
import type { IntegerKernel, OpCall } from '../define-op.ts';
import { quantizationNotSupported } from '../errors.ts';
import type { KernelCall } from './kernel-call.ts';
import {
  clampInt8,
  clampInt16,
  requireSameQuantization,
  scalarQuantization,
  storedValue,
} from './quantized.ts';
import { joinAxes, type StridedWalk, walkRuns } from './strided.ts';

/** A box of elements copied from one tensor into another. */
interface BoxCopy {
  readonly walk: StridedWalk;
  readonly from: number;
  readonly to: number;
}

/** Moving stored values keeps their meaning only under one quantization. */
function requireUnchanged(op: string, x: TensorType, y: TensorType): void {
  if (!x.quant && !y.quant) return;
  requireSameQuantization(op, scalarQuantization(op, x), scalarQuantization(op, y));
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

function boxCopy(
  size: Shape,
  source: readonly number[],
  target: readonly number[],
  from: number,
  to: number,
): BoxCopy {
  return { walk: joinAxes({ size, strides: [source, target] }), from, to };
}

function copyBox(x: TensorData, y: TensorData, { walk, from, to }: BoxCopy): void {
  const [source, target] = walk.strides.map((stride) => stride.at(-1)!) as [number, number];
  walkRuns(walk, ([xStart, yStart], count) => {
    for (let i = 0; i < count; i++) y[to + yStart! + i * target] = x[from + xStart! + i * source]!;
  });
}

/** The kernel copies runs of bytes over at most this many outer axes. */
const mostAxes = 5;

function copyCall(op: string, input: number, type: TensorType, copy: BoxCopy): KernelCall {
  const bytes = elementBytes(type.dtype);
  const size = [...copy.walk.size];
  const strides = copy.walk.strides.map((stride) => stride.map((step) => step * bytes)) as [
    number[],
    number[],
  ];
  const contiguous = strides.every((stride) => stride.at(-1) === bytes);
  const run = contiguous ? size.pop()! * bytes : bytes;
  if (contiguous) for (const stride of strides) stride.pop();
  const front = mostAxes - size.length;
  if (front < 0) throw quantizationNotSupported(op, `more than ${mostAxes} separate axes`);
  const pad = (list: readonly number[], filler: number) => [
    ...new Array<number>(front).fill(filler),
    ...list,
  ];
  return {
    kernel: 'copy_box',
    params: {
      size: pad(size, 1),
      x_stride: pad(strides[0], 0),
      y_stride: pad(strides[1], 0),
      x_offset: copy.from * bytes,
      y_offset: copy.to * bytes,
      run,
    },
    args: [input],
  };
}

interface Movement<A> {
  integer(call: OpCall<A>): IntegerKernel;
  kernels(call: OpCall<A>): KernelCall[];
}

/** An operator that copies one box of its one input. */
function boxMovement<A>(op: string, copyOf: (call: OpCall<A>) => BoxCopy): Movement<A> {
  return {
    integer(call) {
      requireUnchanged(op, call.inputs[0]!, call.outputs[0]!);
      const copy = copyOf(call);
      return ([x], [y]) => copyBox(x!, y!, copy);
    },
    kernels(call) {
      requireUnchanged(op, call.inputs[0]!, call.outputs[0]!);
      return [copyCall(op, 0, call.inputs[0]!, copyOf(call))];
    },
  };
}

export const transposeMovement = boxMovement<TransposeAttributes>(
  'transpose',
  ({ attrs, inputs, outputs }) => {
    const source = stridesOf(inputs[0]!.shape);
    const { shape } = outputs[0]!;
    return boxCopy(
      shape,
      attrs.perm.map((axis) => source[axis]!),
      stridesOf(shape),
      0,
      0,
    );
  },
);

export const sliceMovement = boxMovement<SliceAttributes>('slice', ({ attrs, inputs }) => {
  const source = stridesOf(inputs[0]!.shape);
  const steps = source.map((stride, axis) => stride * attrs.strides[axis]!);
  return boxCopy(attrs.size, steps, stridesOf(attrs.size), dot(attrs.begin, source), 0);
});

/** The same bytes under another shape: nothing to copy where the plan lets the result take the input's place. */
export const reshapeMovement = boxMovement<{ readonly shape: readonly number[] }>('reshape', ({ inputs }) => {
  const count = elementCount(inputs[0]!.shape);
  return boxCopy([count], [1], [1], 0, 0);
});

/** What fills the border: the stored form of a real value, 0 being the zero point. */
function fillerOf(call: OpCall<PadAttributes>): number {
  const [x] = call.inputs;
  return x!.quant
    ? (x!.dtype === 'int16' ? clampInt16 : clampInt8)(
        storedValue(call.attrs.value, scalarQuantization('pad', x!)),
      )
    : call.attrs.value;
}

function padCopy({ attrs, inputs, outputs }: OpCall<PadAttributes>): BoxCopy {
  const { shape } = inputs[0]!;
  const target = stridesOf(outputs[0]!.shape);
  const before = shape.map((_, axis) => attrs.pads[2 * axis]!);
  return boxCopy(shape, stridesOf(shape), target, 0, dot(before, target));
}

export const padMovement: Movement<PadAttributes> = {
  integer(call) {
    requireUnchanged('pad', call.inputs[0]!, call.outputs[0]!);
    const filler = fillerOf(call);
    const copy = padCopy(call);
    return ([x], [y]) => {
      (y as Int8Array).fill(filler);
      copyBox(x!, y!, copy);
    };
  },
  kernels(call) {
    const [x] = call.inputs;
    requireUnchanged('pad', x!, call.outputs[0]!);
    const count = elementCount(call.outputs[0]!.shape);
    const fill: KernelCall =
      x!.dtype === 'float32'
        ? { kernel: 'fill_f32', params: { count }, floats: { value: fillerOf(call) }, args: [] }
        : {
            kernel: x!.dtype === 'int16' ? 'fill_s16' : 'fill_s8',
            params: { count, value: fillerOf(call) },
            args: [],
          };
    return [fill, copyCall('pad', 0, x!, padCopy(call))];
  },
};

/** Where each input of a concatenation goes. */
function concatenationCopies({ attrs, inputs, outputs }: OpCall<ConcatenationAttributes>): BoxCopy[] {
  const target = stridesOf(outputs[0]!.shape);
  let position = 0;
  return inputs.map(({ shape }) => {
    const to = position * target[attrs.axis]!;
    position += shape[attrs.axis]!;
    return boxCopy(shape, stridesOf(shape), target, 0, to);
  });
}

/** TensorFlow Lite asks all inputs and the output of an int8 concatenation for one quantization (concatenation.cc). */
export const concatenationMovement: Movement<ConcatenationAttributes> = {
  integer(call) {
    for (const x of call.inputs) requireUnchanged('concatenation', x, call.outputs[0]!);
    const copies = concatenationCopies(call);
    return (inputs, [y]) => {
      for (const [i, copy] of copies.entries()) copyBox(inputs[i]!, y!, copy);
    };
  },
  kernels(call) {
    for (const x of call.inputs) requireUnchanged('concatenation', x, call.outputs[0]!);
    return concatenationCopies(call).map((copy, i) => copyCall('concatenation', i, call.inputs[i]!, copy));
  },
};
