import type { ConcatenationAttributes } from './attributes.ts';
import { defineOp } from './define-op.ts';
import { shapesDoNotFit } from './errors.ts';
import { concatenationMovement } from './integer/movement.ts';
import { readActivation } from './tflite/activation.ts';
import { canonicalAxis } from './tflite/form.ts';
import { requireSharedScale } from './tflite/shared-scale.ts';

/** Most inputs one concatenation may have; more is a damaged file. */
const mostInputs = 4096;

export const concatenation = defineOp<ConcatenationAttributes>({
  name: 'concatenation',
  summary: 'tensors joined along an axis',
  arity: [1, mostInputs],
  attrs: { axis: { kind: 'integer', min: 0 } },
  infer(inputs, { axis }) {
    const [first] = inputs;
    const alike = inputs.every(
      ({ shape }) =>
        shape.length === first!.shape.length &&
        shape.every((size, i) => i === axis || size === first!.shape[i]),
    );
    if (!alike || axis >= first!.shape.length) {
      throw shapesDoNotFit(
        'concatenation',
        `shapes differ beside axis ${axis}`,
        inputs.map(({ shape }) => shape),
      );
    }
    const total = inputs.reduce((sum, { shape }) => sum + shape[axis]!, 0);
    return [{ dtype: first!.dtype, shape: first!.shape.map((size, i) => (i === axis ? total : size)) }];
  },
  float: (tf, inputs, { axis }) => tf.concat([...inputs], axis),
  permute: (attrs, perm) => ({ attrs: { axis: perm[attrs.axis]! }, perm }),
  quantize: { output: 'shared' },
  ...concatenationMovement,
  tflite: {
    versions: { float32: 1, int8: 2, int16: 3 },
    read: {
      CONCATENATION(call) {
        if (readActivation(call) !== 'none') throw call.refuse('a fused activation is not supported');
        const inputs = call.inputs.map((_, i) => call.input(i));
        const axis = canonicalAxis(call, call.number('axis'), call.input(0).type.shape.length);
        return { inputs, attrs: { axis } };
      },
    },
    write(call) {
      requireSharedScale(call);
      const { attrs, inputs, version, output } = call;
      return [{ builtin: 'CONCATENATION', version, options: { axis: attrs.axis }, inputs, output }];
    },
  },
});
