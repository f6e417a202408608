import { defineOp } from './define-op.ts';
import { permuteElementwise } from './elementwise.ts';

export type FakeQuantizeAttributes = {
  readonly scale: number;
  readonly zeroPoint: number;
  readonly dtype: string;
};

const limits: Readonly<Record<string, readonly [number, number]>> = {
  int8: [-128, 127],
  int16: [-32_768, 32_767],
};

/**
 * A real value as it comes back from being stored: what a QuantizeLinear and a DequantizeLinear of ONNX stand for. It
 * leaves the graph when its scale becomes that of the value before it (`quant/take-scales.ts`).
 */
export const fakeQuantize = defineOp<FakeQuantizeAttributes>({
  name: 'fakeQuantize',
  summary: 'a scale that the model brings along (QuantizeLinear and DequantizeLinear)',
  arity: [1, 1],
  attrs: {
    scale: { kind: 'number' },
    zeroPoint: { kind: 'integer', min: -32_768, max: 32_767 },
    dtype: { kind: 'choice', of: ['int8', 'int16'] },
  },
  infer: ([x]) => [{ dtype: x!.dtype, shape: x!.shape }],
  float(tf, [x], { scale, zeroPoint, dtype }) {
    const [low, high] = limits[dtype]!;
    const steps = tf.round(tf.div(x!, scale));
    return tf.mul(tf.clipByValue(steps, low - zeroPoint, high - zeroPoint), scale);
  },
  permute: permuteElementwise,
});
