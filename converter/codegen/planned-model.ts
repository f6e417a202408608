import type { Graph, Shape } from '../ir/types.ts';
import type { KernelCall } from '../ops/integer/kernel-call.ts';
import type { KernelChoice } from './choice/kernel.ts';
import type { ArenaPlace, ModelMemory } from './plan-model-memory.ts';

export interface AotLayer {
  readonly name: string;
  readonly op: string;
  readonly inShape: Shape;
  readonly outShape: Shape;
  readonly macs: number;
  readonly weightsBytes: number;
  /** Where the result stands. */
  readonly place: ArenaPlace;
  readonly outputBytes: number;
  /** Form of each kernel, and why a faster one was declined. */
  readonly kernels: readonly Pick<KernelChoice, 'form' | 'declined'>[];
}

/** Where a tensor is: a place in an arena, or a constant. */
export type Place = ArenaPlace | { readonly constant: string };

export interface PlannedCall {
  readonly call: KernelCall;
  readonly header: string;
  readonly struct: string;
  /** C type and place of each argument, the result last. */
  readonly operands: readonly { readonly type: string; readonly place: Place }[];
}

export interface PlannedLayer extends AotLayer {
  readonly dtype: string;
  /** None where the result is its input's own memory. */
  readonly calls: readonly PlannedCall[];
}

export interface PlannedConstant {
  readonly name: string;
  readonly text: string;
  readonly bytes: number;
}

export interface PlannedModel {
  readonly graph: Graph;
  readonly prefix: string;
  readonly layers: readonly PlannedLayer[];
  readonly constants: readonly PlannedConstant[];
  readonly memory: ModelMemory;
  readonly weightsBytes: number;
  readonly headers: readonly string[];
  /** Definitions of functions that kernels are given, each once. */
  readonly functions: readonly string[];
}
