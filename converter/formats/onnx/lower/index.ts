import { activations } from './activations.ts';
import { arithmetic } from './arithmetic.ts';
import { batchNormalization } from './batch-normalization.ts';
import { clip } from './clip.ts';
import { concat } from './concat.ts';
import { conv } from './conv.ts';
import { gemm } from './gemm.ts';
import { globalAveragePool, globalMaxPool } from './global-pool.ts';
import type { Lowering } from './lowering.ts';
import { matMul } from './mat-mul.ts';
import { pad } from './pad.ts';
import { passThrough } from './pass-through.ts';
import { averagePool, maxPool } from './pool.ts';
import { quantized } from './quantized.ts';
import { reductions } from './reduce.ts';
import { reshapes } from './reshape.ts';
import { slices } from './slice.ts';
import { softmax } from './softmax.ts';
import { transpose } from './transpose.ts';

/** The one list of ONNX operators that can be converted. */
const all: readonly Lowering[] = [
  ...activations,
  ...arithmetic,
  averagePool,
  batchNormalization,
  clip,
  concat,
  conv,
  gemm,
  globalAveragePool,
  globalMaxPool,
  matMul,
  maxPool,
  pad,
  ...passThrough,
  ...quantized,
  ...reductions,
  ...reshapes,
  ...slices,
  softmax,
  transpose,
];

export const lowerings: ReadonlyMap<string, Lowering> = new Map(
  all.map((lowering) => [lowering.op, lowering]),
);
