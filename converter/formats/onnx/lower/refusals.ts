/** Operators that are refused on purpose, with the reason and the next move. */
export interface Refusal {
  readonly why: string;
  readonly hint?: string;
}

const quantized: Refusal = {
  why: 'the model is already quantized; activations must be float',
  hint: 'export the float model; tinyml quantizes it with --calib',
};
const loops: Refusal = {
  why: 'loops have no fixed amount of work',
  hint: 'export with a fixed number of steps, unrolled',
};
const instanceNorm: Refusal = {
  why: 'its statistics are computed at run time',
  hint: 'train with BatchNorm, which becomes part of the convolution before it',
};

const pick: Refusal = {
  why: 'it gives positions, not values',
  hint: 'export the network without it and pick the largest output in your program',
};

export const refusals: ReadonlyMap<string, Refusal> = new Map<string, Refusal>([
  ['DynamicQuantizeLinear', quantized],
  ['ConvInteger', quantized],
  ['MatMulInteger', quantized],
  ['ArgMax', pick],
  ['ArgMin', pick],
  ['TopK', pick],
  ['If', { why: 'its condition is computed at run time', hint: 'export the branch that is used' }],
  ['Loop', loops],
  ['Scan', loops],
  ['InstanceNormalization', instanceNorm],
  ['GroupNormalization', instanceNorm],
  ['LayerNormalization', instanceNorm],
  [
    'LogSoftmax',
    {
      why: 'its range has no lower end',
      hint: 'export with Softmax or without it; the largest class is the same',
    },
  ],
]);
