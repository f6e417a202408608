import type { KernelParams } from '../../ops/integer/kernel-call.ts';
import type { Walk } from '../overlap.ts';
import type { CodedStream, StreamLayout } from './coded-stream.ts';

/** A function of inner loops, made by a macro of the kernel library with every number a literal. */
export interface AssemblyFunction {
  /** Follows from the numbers, so that layers with the same numbers share one function. */
  readonly name: string;
  /** Its definition, at file scope, after the header; absent where the header has it. */
  readonly definition?: string;
}

/** Numbers as parts of a C name. */
export const digitsOf = (numbers: readonly number[]): string[] =>
  numbers.map((x) => (x < 0 ? `m${-x}` : String(x)));

/** Call of a machine's own kernel: `tml_<kernel>(&params, inputs..., constants, scratch, functions..., result)`. */
export interface MachineKernel {
  readonly kernel: string;
  readonly header: string;
  /** Tag of the parameter struct. */
  readonly struct: string;
  readonly params: KernelParams;
  /** The layer's constants in the order of use; absent where the kernel has none, like `scratch`. */
  readonly stream?: Int32Array;
  /** How the stream is made up, where its weights can be coded; and its coded form, if that is stored. */
  readonly layout?: StreamLayout;
  readonly coded?: CodedStream;
  /** Bytes of scratch memory, aligned to words; its content matters only during the call. */
  readonly scratchBytes?: number;
  /** In the order of the arguments; undefined for one that is never called and passed as a null pointer. */
  readonly functions: readonly (AssemblyFunction | undefined)[];
  /** How it goes over input and result, which decides how the two may overlap. */
  readonly walk: Walk;
}

/** A kernel and why it is this one: what was chosen, and what would have been faster but for a reason. */
export interface KernelChoice {
  /** Undefined: the portable kernel. */
  readonly kernel: MachineKernel | undefined;
  readonly form: string;
  readonly declined: readonly string[];
}

export function portable(...declined: string[]): KernelChoice {
  return { kernel: undefined, form: 'portable', declined };
}
