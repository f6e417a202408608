import { type AssemblyFunction, digitsOf } from '../choice/kernel.ts';

/**
 * The function that the macro TML_RV_<macro> defines for these numbers, which come after `first` where a macro takes
 * the name of another; `suffix` tells such functions apart.
 */
export function assemblyFunction(
  macro: string,
  numbers: readonly number[],
  variant?: { readonly suffix: string; readonly first: string },
): AssemblyFunction {
  const name = ['tml_rv', macro, ...(variant ? [variant.suffix] : []), ...digitsOf(numbers)].join('_');
  const args = [name, ...(variant ? [variant.first] : []), ...numbers];
  return { name, definition: `TML_RV_${macro.toUpperCase()}(${args.join(', ')})` };
}

/** C types of the functions that each kernel is given, for declaring a function around it. */
export const functionTypes: ReadonlyMap<string, readonly string[]> = new Map([
  ['rv_pointwise_s8', ['tml_rv_tile', 'tml_rv_tile']],
  ['rv_conv2d_s8', ['tml_rv_tile', 'tml_rv_tile']],
  ['rv_quads_s8', ['tml_rv_tile']],
  ['rv_depthwise_s8', ['tml_rv_channel', 'tml_rv_channel', 'tml_rv_channel']],
]);
