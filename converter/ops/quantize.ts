import { defineOp } from './define-op.ts';
import { integerQuantize, quantizeCalls } from './integer/conversion.ts';
import { quantizeVersions } from './tflite/quantize-versions.ts';

/** Stores real numbers, or integers of another scale, with the result's own scale and type. */
export const quantize = defineOp<{ readonly dtype: string }>({
  name: 'quantize',
  summary: 'float to integer, or integer to another scale',
  arity: [1, 1],
  attrs: { dtype: { kind: 'choice', of: ['int8', 'uint8', 'int16'] } },
  infer: ([x], { dtype }) => [{ dtype: dtype as 'int8' | 'uint8' | 'int16', shape: x!.shape }],
  permute: (attrs, perm) => ({ attrs, perm }),
  integer: integerQuantize,
  kernels: quantizeCalls,
  tflite: {
    versions: { float32: 1, int8: 1, uint8: 1, int16: 1 },
    read: {
      QUANTIZE(call) {
        const { dtype } = call.output.type;
        if (!Object.hasOwn(quantizeVersions, dtype)) throw call.refuse(`${dtype} output is not supported`);
        return { inputs: [call.input(0)], attrs: { dtype } };
      },
    },
    write({ attrs, inputs, output }) {
      const version = quantizeVersions[attrs.dtype as keyof typeof quantizeVersions];
      return [{ builtin: 'QUANTIZE', version, inputs, output }];
    },
  },
});
