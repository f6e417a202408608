import type { KernelCall } from '../ops/integer/kernel-call.ts';
import type { KernelChoice, MachineKernel } from './choice/kernel.ts';
import { functionTypes as cortexMTypes } from './cortex-m/assembly-function.ts';
import { chooseKernel as chooseCortexM } from './cortex-m/choose-kernel.ts';
import { functionTypes as rv32Types } from './rv32/assembly-function.ts';
import { chooseKernel as chooseRv32 } from './rv32/choose-kernel.ts';

/** What the generated C is to run on; `any` is portable C99. */
export type Machine = 'any' | 'cortex-m4f' | 'rv32imc';

type Chooser = (call: KernelCall) => KernelChoice;

const portable: Chooser = () => ({ kernel: undefined, form: 'portable', declined: [] });

const choosers: Readonly<Record<Machine, Chooser>> = {
  any: portable,
  'cortex-m4f': chooseCortexM,
  rv32imc: chooseRv32,
};

/** The kernels that a machine gets for each call of a network. */
export function kernelsFor(
  machine: Machine,
  calls: readonly KernelCall[],
): ReadonlyMap<KernelCall, KernelChoice> {
  return new Map(calls.map((call) => [call, choosers[machine](call)]));
}

/** The machine whose kernels a chip's core runs; portable C for cores without kernels of their own. */
export function machineOf(cpu: string): Machine {
  return cpu === 'cortex-m4f' || cpu === 'rv32imc' ? cpu : 'any';
}

const functionTypes = new Map([...cortexMTypes, ...rv32Types]);

/** C types and names of the functions that a kernel is given; a null pointer for one that it never calls. */
export function functionOperands({ kernel, functions }: MachineKernel): { type: string; name: string }[] {
  const types = functionTypes.get(kernel) ?? [];
  return functions.map((made, i) => ({ type: types[i]!, name: made?.name ?? '0' }));
}
