import { tensorOf } from '../ir/graph.ts';
import type { Graph, Node } from '../ir/types.ts';
import { opOf } from '../ops/index.ts';
import type { KernelCall } from '../ops/integer/kernel-call.ts';
import type { KernelChoice, MachineKernel } from './choice/kernel.ts';
import { codeWeights, decodedAt } from './code-weights.ts';
import { instructionsPerMac, kernelsFor, type Machine } from './machine.ts';
import type { LayerCalls, MemoryNeeds } from './plan-model-memory.ts';

export type Choices = ReadonlyMap<KernelCall, KernelChoice>;

export interface KernelOptions {
  /** Portable C99 when absent. */
  readonly machine?: Machine;
  /**
   * `coded`: weights stand coded in flash, where that saves much, and are decoded before their layer runs; as they are
   * when absent.
   */
  readonly weights?: 'plain' | 'coded';
  /** Bytes that the arena may grow to for coded weights; what it takes without them when absent. */
  readonly arenaLimit?: number;
}

/** Memory for a kernel, and for its constants where they are decoded there. */
export function memoryNeeds(kernel: MachineKernel | undefined): MemoryNeeds | undefined {
  if (!kernel?.coded) return kernel;
  return { walk: kernel.walk, scratchBytes: decodedAt(kernel) + kernel.coded.streamBytes };
}

/** Multiply-accumulates of a layer. */
export function macsOf(graph: Graph, node: Node): number {
  const types = (names: readonly string[]) => names.map((name) => tensorOf(graph, name).type);
  return opOf(node.op).macs?.(types(node.inputs), types(node.outputs), node.attrs) ?? 0;
}

/** The kernels of all calls, with coded weights where the options ask for them and they are worth it. */
export function chooseKernels(
  graph: Graph,
  calls: LayerCalls,
  { machine = 'any', weights = 'plain', arenaLimit = 0 }: KernelOptions,
  arenaOf: (choices: Choices) => number,
): Choices {
  const choices = kernelsFor(machine, [...calls.values()].flat());
  if (weights === 'plain') return choices;
  const macs = new Map([...calls].flatMap(([node, list]) => list.map((call) => [call, macsOf(graph, node)])));
  return codeWeights(
    choices,
    calls,
    (call) => instructionsPerMac(machine) * macs.get(call)!,
    arenaOf,
    arenaLimit,
  );
}
