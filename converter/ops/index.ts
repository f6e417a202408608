import { abs } from './abs.ts';
import { add } from './add.ts';
import { averagePool2d } from './average-pool2d.ts';
import { concatenation } from './concatenation.ts';
import { conv2d } from './conv2d.ts';
import type { OpDefinition } from './define-op.ts';
import { depthwiseConv2d } from './depthwise-conv2d.ts';
import { dequantize } from './dequantize.ts';
import { div } from './div.ts';
import { elu } from './elu.ts';
import { exp } from './exp.ts';
import { fakeQuantize } from './fake-quantize.ts';
import { fullyConnected } from './fully-connected.ts';
import { hardSwish } from './hard-swish.ts';
import { leakyRelu } from './leaky-relu.ts';
import { logistic } from './logistic.ts';
import { maxPool2d } from './max-pool2d.ts';
import { maximum } from './maximum.ts';
import { mean } from './mean.ts';
import { minimum } from './minimum.ts';
import { mul } from './mul.ts';
import { neg } from './neg.ts';
import { pad } from './pad.ts';
import { quantize } from './quantize.ts';
import { relu } from './relu.ts';
import { reluN1To1 } from './relu-n1-to-1.ts';
import { relu6 } from './relu6.ts';
import { reshape } from './reshape.ts';
import { slice } from './slice.ts';
import { softmax } from './softmax.ts';
import { sqrt } from './sqrt.ts';
import { sub } from './sub.ts';
import { tanh } from './tanh.ts';
import { transpose } from './transpose.ts';

/** Every operator of the IR. Documentation, reading, writing, evaluation and code generation all start here. */
export const ops: readonly OpDefinition[] = [
  abs,
  add,
  averagePool2d,
  concatenation,
  conv2d,
  depthwiseConv2d,
  dequantize,
  div,
  elu,
  exp,
  fakeQuantize,
  fullyConnected,
  hardSwish,
  leakyRelu,
  logistic,
  maxPool2d,
  maximum,
  mean,
  minimum,
  mul,
  neg,
  pad,
  quantize,
  relu,
  relu6,
  reluN1To1,
  reshape,
  slice,
  softmax,
  sqrt,
  sub,
  tanh,
  transpose,
];

const byName = new Map(ops.map((op) => [op.name, op]));

export function findOp(name: string): OpDefinition | undefined {
  return byName.get(name);
}

/** The definition of an operator that a verified graph uses. */
export function opOf(name: string): OpDefinition {
  const op = byName.get(name);
  if (!op) throw new Error(`no operator ${JSON.stringify(name)} in the IR`);
  return op;
}
