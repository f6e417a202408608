import type { KernelCall } from '../ops/integer/kernel-call.ts';
import type { KernelChoice, MachineKernel } from './choice/kernel.ts';
import { functionTypes as cortexMTypes } from './cortex-m/assembly-function.ts';
import { chooseKernel as chooseCortexM } from './cortex-m/choose-kernel.ts';
import { functionTypes as rv32Types } from './rv32/assembly-function.ts';
import { chooseKernel as chooseRv32 } from './rv32/choose-kernel.ts';

type Chooser = (call: KernelCall) => KernelChoice;

/** Instructions beyond C that kernels use, by their architecture's name for them. */
type InstructionSet = 'none' | 'arm-dsp' | 'rv32im';

const choosers: Readonly<Record<InstructionSet, Chooser>> = {
  none: () => ({ kernel: undefined, form: 'portable', declined: [] }),
  'arm-dsp': chooseCortexM,
  rv32im: chooseRv32,
};

/**
 * Cores and what their kernels can use. An FPU makes no other core: the kernels' headers see whether the compiler may
 * use one. A Cortex-M33 is meant with its DSP extension; one without is a `cortex-m3` to kernels.
 */
const cores = {
  any: 'none',
  'cortex-m0': 'none',
  'cortex-m0plus': 'none',
  'cortex-m3': 'none',
  'cortex-m4': 'arm-dsp',
  'cortex-m4f': 'arm-dsp',
  'cortex-m7': 'arm-dsp',
  'cortex-m33': 'arm-dsp',
  rv32imc: 'rv32im',
  rv32imac: 'rv32im',
} as const satisfies Record<string, InstructionSet>;

/** What the generated C is to run on; `any` is portable C99. */
export type Machine = keyof typeof cores;

/** The kernels that a machine gets for each call of a network. */
export function kernelsFor(
  machine: Machine,
  calls: readonly KernelCall[],
): ReadonlyMap<KernelCall, KernelChoice> {
  return new Map(calls.map((call) => [call, choosers[cores[machine]](call)]));
}

/** Instructions of a whole network for each multiply-accumulate, about (docs/performance.md). */
const costs: Readonly<Record<InstructionSet, number>> = { none: 8, 'arm-dsp': 0.9, rv32im: 2.3 };

export const instructionsPerMac = (machine: Machine): number => costs[cores[machine]];

/** The machine that a chip's core is; portable C for cores that are not known here. */
export function machineOf(cpu: string): Machine {
  return Object.hasOwn(cores, cpu) ? (cpu as Machine) : 'any';
}

const functionTypes = new Map([...cortexMTypes, ...rv32Types]);

/** C types and names of the functions that a kernel is given; a null pointer for one that it never calls. */
export function functionOperands({ kernel, functions }: MachineKernel): { type: string; name: string }[] {
  const types = functionTypes.get(kernel) ?? [];
  return functions.map((made, i) => ({ type: types[i]!, name: made?.name ?? '0' }));
}
