import type { SliceAttributes } from './attributes.ts';
import { defineOp } from './define-op.ts';
import { shapesDoNotFit } from './errors.ts';
import { sliceMovement } from './integer/movement.ts';
import { int32Constant } from './tflite/form.ts';
import { readSlice, readStridedSlice } from './tflite/slice.ts';

export const slice = defineOp<SliceAttributes>({
  name: 'slice',
  summary: 'a box cut out, with strides',
  arity: [1, 1],
  attrs: {
    begin: { kind: 'integers', min: 0 },
    size: { kind: 'integers', min: 1 },
    strides: { kind: 'integers', min: 1 },
  },
  infer([x], { begin, size, strides }) {
    const rank = x!.shape.length;
    const inside = x!.shape.every(
      (extent, axis) => begin[axis]! + (size[axis]! - 1) * strides[axis]! < extent,
    );
    if (begin.length !== rank || size.length !== rank || strides.length !== rank || !inside) {
      throw shapesDoNotFit('slice', 'the box leaves the input', [begin, size, x!.shape]);
    }
    return [{ dtype: x!.dtype, shape: size }];
  },
  float(tf, [x], { begin, size, strides }) {
    // Without strides a plain slice, which has a gradient.
    if (strides.every((stride) => stride === 1)) return tf.slice(x!, [...begin], [...size]);
    const end = begin.map((start, axis) => start + (size[axis]! - 1) * strides[axis]! + 1);
    return tf.stridedSlice(x!, [...begin], end, [...strides]);
  },
  permute(attrs, perm) {
    const moved = (list: readonly number[]) => perm.map((_, axis) => list[perm.indexOf(axis)]!);
    return {
      attrs: { begin: moved(attrs.begin), size: moved(attrs.size), strides: moved(attrs.strides) },
      perm,
    };
  },
  quantize: { output: 'same' },
  ...sliceMovement,
  tflite: {
    versions: { float32: 1, int8: 2, int16: 4, int32: 1 },
    read: { SLICE: readSlice, STRIDED_SLICE: readStridedSlice },
    write(call) {
      const { attrs, inputs, output, version } = call;
      const begin = int32Constant(call, 'begin', attrs.begin);
      if (attrs.strides.every((stride) => stride === 1)) {
        const size = int32Constant(call, 'size', attrs.size);
        const least = attrs.begin.length > 4 ? 5 : 1;
        return [
          { builtin: 'SLICE', version: Math.max(version, least), inputs: [inputs[0]!, begin, size], output },
        ];
      }
      const ends = attrs.begin.map(
        (start, axis) => start + (attrs.size[axis]! - 1) * attrs.strides[axis]! + 1,
      );
      const end = int32Constant(call, 'end', ends);
      const strides = int32Constant(call, 'strides', attrs.strides);
      const plain = inputs[0]!.type.dtype === 'int8' ? 2 : 1;
      const stridedVersion = attrs.begin.length > 4 ? 4 : plain;
      const all = [inputs[0]!, begin, end, strides];
      return [{ builtin: 'STRIDED_SLICE', version: stridedVersion, inputs: all, output }];
    },
  },
});
