import type { AssemblyFunction } from '../cortex-m/kernel.ts';

export { type CortexMKernel as MachineKernel, type KernelChoice, portable } from '../cortex-m/kernel.ts';

/**
 * The function that the macro TML_RV_<macro> defines for these numbers, which come after `first` where a macro takes
 * the name of another; `suffix` tells such functions apart.
 */
export function assemblyFunction(
  macro: string,
  numbers: readonly number[],
  variant?: { readonly suffix: string; readonly first: string },
): AssemblyFunction {
  const digits = numbers.map((x) => (x < 0 ? `m${-x}` : String(x)));
  const name = ['tml_rv', macro, ...(variant ? [variant.suffix] : []), ...digits].join('_');
  const args = [name, ...(variant ? [variant.first] : []), ...numbers];
  return { name, definition: `TML_RV_${macro.toUpperCase()}(${args.join(', ')})` };
}
