import { defineUnary } from './elementwise.ts';

export type LeakyReluAttributes = { readonly alpha: number };

export const leakyRelu = defineUnary<LeakyReluAttributes>({
  name: 'leakyRelu',
  summary: 'x where positive, else alpha * x',
  attrs: { alpha: { kind: 'number' } },
  quantize: { output: 'calibrated' },
  float: (tf, x, { alpha }) => tf.leakyRelu(x, alpha),
});
