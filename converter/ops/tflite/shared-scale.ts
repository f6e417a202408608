import { sameQuantization } from '../../ir/tensor.ts';
import type { TfliteWrite } from './form.ts';

/** TFLite's kernels move or compare the stored integers here without looking at scales, so all must be alike. */
export function requireSharedScale(call: TfliteWrite<unknown>): void {
  const { quant } = call.output.type;
  if (!quant || call.inputs.every((input) => sameQuantization(input.type.quant, quant))) return;
  throw call.refuse(
    'its inputs and its result have different scales',
    'quantize the float model with tinyml, which gives them one scale',
  );
}
