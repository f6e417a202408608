import type { KernelParams } from '../../ops/integer/kernel-call.ts';

/** A function of inner loops, made by a macro of the kernel library with every number a literal. */
export interface AssemblyFunction {
  /** Follows from the numbers, so that layers with the same numbers share one function. */
  readonly name: string;
  /** Its definition, at file scope, after the header; absent where the header has it. */
  readonly definition?: string;
}

/** The function that the macro TML_CM_<macro> defines for these numbers. */
export function assemblyFunction(macro: string, numbers: readonly number[]): AssemblyFunction {
  const name = `tml_${macro}_${numbers.map((x) => (x < 0 ? `m${-x}` : String(x))).join('_')}`;
  return { name, definition: `TML_CM_${macro.toUpperCase()}(${[name, ...numbers].join(', ')})` };
}

/** Call of a Cortex-M kernel: `tml_<kernel>(&params, inputs..., constants, scratch, functions..., result)`. */
export interface CortexMKernel {
  readonly kernel: string;
  readonly header: string;
  /** Tag of the parameter struct. */
  readonly struct: string;
  readonly params: KernelParams;
  /** The layer's constants in the order of use; absent where the kernel has none, like `scratch`. */
  readonly stream?: Int32Array;
  /** Bytes of scratch memory, aligned to words; its content matters only during the call. */
  readonly scratchBytes?: number;
  /** In the order of the arguments; undefined for one that is never called and passed as a null pointer. */
  readonly functions: readonly (AssemblyFunction | undefined)[];
  /** Whether the result may stand at the start of the memory of the first input. */
  readonly inPlace: boolean;
}

/** A kernel and why it is this one: what was chosen, and what would have been faster but for a reason. */
export interface KernelChoice {
  /** Undefined: the portable kernel. */
  readonly kernel: CortexMKernel | undefined;
  readonly form: string;
  readonly declined: readonly string[];
}

export function portable(...declined: string[]): KernelChoice {
  return { kernel: undefined, form: 'portable', declined };
}

/** C types of the functions that each kernel is given, for declaring a function around it. */
export const functionTypes: ReadonlyMap<string, readonly string[]> = new Map([
  ['cm_pointwise_s8', ['tml_cm_tile', 'tml_cm_tile']],
  ['cm_conv2d_s8', ['tml_cm_tile', 'tml_cm_tile']],
  ['cm_depthwise_s8', ['tml_cm_plane', 'tml_cm_channel']],
  ['cm_add_s8', ['tml_cm_add_words']],
]);
