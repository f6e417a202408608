import type { AssemblyFunction } from '../cortex-m/kernel.ts';

export { type CortexMKernel as MachineKernel, type KernelChoice, portable } from '../cortex-m/kernel.ts';

/** The function that the macro TML_RV_<macro> defines for these numbers. */
export function assemblyFunction(macro: string, numbers: readonly number[]): AssemblyFunction {
  const name = `tml_rv_${macro}_${numbers.map((x) => (x < 0 ? `m${-x}` : String(x))).join('_')}`;
  return { name, definition: `TML_RV_${macro.toUpperCase()}(${[name, ...numbers].join(', ')})` };
}
