import type { CalibrationMethod } from './choose-range.ts';
import type { Precision, Scheme } from './precision.ts';

/** How many different values the weights of a layer may have. */
export type Clustering = 'none' | 16 | 32;

export const clusterings: readonly Clustering[] = ['none', 16, 32];

/** How one float model becomes an integer one: everything that a user, or the doctor, may choose. */
export interface Recipe {
  /** 8-bit activations, or 16-bit ones where an operator has that form. */
  readonly scheme: Scheme;
  /** Layers that differ from the scheme, by name. */
  readonly precisionOfLayer: ReadonlyMap<string, Precision>;
  /** Layers whose weights take 4 bits, by name; `all` stands for every convolution and fully connected layer. */
  readonly packedLayers: ReadonlySet<string>;
  /** How ranges are taken from the calibration data, unless a layer says otherwise. */
  readonly method: CalibrationMethod;
  /** Other methods for the results of some layers, by the layer's name. */
  readonly methodOfLayer: ReadonlyMap<string, CalibrationMethod>;
  /** One weight scale for a whole layer instead of one for each output channel. */
  readonly perTensor: boolean;
  /** Cross-layer equalization before quantization. */
  readonly equalize: boolean;
  /** Bias correction on the calibration data. */
  readonly correctBias: boolean;
  /** Weights rounded up or down as the layer's result needs it. */
  readonly learnRounding: boolean;
  /** Few different weights in each convolution, for kernels that look them up; biases are corrected then as well. */
  readonly clusterTo: Clustering;
  /** The same for single layers, by name; also for fully connected and depthwise ones. */
  readonly clusterOfLayer: ReadonlyMap<string, Clustering>;
}

/** What `tinyml convert` does where the user names nothing; docs/quantization.md has the measurements behind it. */
export const defaultRecipe: Recipe = {
  scheme: 'int8',
  precisionOfLayer: new Map(),
  packedLayers: new Set(),
  method: 'mse',
  methodOfLayer: new Map(),
  perTensor: false,
  equalize: false,
  correctBias: false,
  learnRounding: false,
  clusterTo: 'none',
  clusterOfLayer: new Map(),
};
