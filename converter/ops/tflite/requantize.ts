import { sameQuantization } from '../../ir/tensor.ts';
import type { Value } from '../../ir/types.ts';
import type { TfliteOperator, TfliteWrite } from './form.ts';

/** Versions of QUANTIZE by the type that it makes. */
export const quantizeVersions = { int8: 1, uint8: 1, int16: 2 } as const;

/**
 * Inputs with the output's scale and zero point, for operators whose TFLite kernels move integers without looking
 * at scales; those that differ pass through a QUANTIZE first.
 */
export function alignQuantization(call: TfliteWrite<unknown>): {
  before: TfliteOperator[];
  inputs: Value[];
} {
  const { quant, dtype } = call.output.type;
  const before: TfliteOperator[] = [];
  const inputs = call.inputs.map((input, i) => {
    if (!quant || sameQuantization(input.type.quant, quant)) return input;
    const output = call.between(`requantized_${i}`, { ...input.type, quant });
    const version = dtype === 'int16' ? quantizeVersions.int16 : quantizeVersions.int8;
    before.push({ builtin: 'QUANTIZE', version, inputs: [input], output });
    return output;
  });
  return { before, inputs };
}
