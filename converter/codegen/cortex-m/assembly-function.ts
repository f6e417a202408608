import { type AssemblyFunction, digitsOf } from '../choice/kernel.ts';

/** The function that the macro TML_CM_<macro> defines for these numbers. */
export function assemblyFunction(macro: string, numbers: readonly number[]): AssemblyFunction {
  const name = `tml_${macro}_${digitsOf(numbers).join('_')}`;
  return { name, definition: `TML_CM_${macro.toUpperCase()}(${[name, ...numbers].join(', ')})` };
}

/** C types of the functions that each kernel is given, for declaring a function around it. */
export const functionTypes: ReadonlyMap<string, readonly string[]> = new Map([
  ['cm_pointwise_s8', ['tml_cm_tile', 'tml_cm_tile']],
  ['cm_conv2d_s8', ['tml_cm_tile', 'tml_cm_tile']],
  ['cm_depthwise_s8', ['tml_cm_plane', 'tml_cm_channel']],
  ['cm_add_s8', ['tml_cm_add_words']],
]);
