import { tensorOf } from '../ir/graph.ts';
import type { Graph, Node } from '../ir/types.ts';
import { atNode } from '../ops/at-node.ts';
import { callOf } from '../ops/call-of.ts';
import { opOf } from '../ops/index.ts';
import type { KernelCall } from '../ops/integer/kernel-call.ts';
import type { AotOptions } from './aot-options.ts';
import { buildFiles } from './build-files.ts';
import { identifier } from './c-text.ts';
import { type Choices, chooseKernels, memoryNeeds } from './choose-kernels.ts';
import { cannotGenerate, kernelTextMissing, outputNotComputed } from './errors.ts';
import { portableKernels } from './kernels/portable.ts';
import { modelHeader } from './model-header.ts';
import { modelSource } from './model-source.ts';
import { LayerPlanner } from './plan-layers.ts';
import { type ArenaPeak, keepsInputs, planModelMemory, totalBytes } from './plan-model-memory.ts';
import type { AotLayer, PlannedModel } from './planned-model.ts';

export interface AotModel {
  readonly files: ReadonlyMap<string, string>;
  /** Exact size of the static array that all tensors live in; of all such arrays where several memories are used. */
  readonly arenaBytes: number;
  /** Size of each array: one for each memory, 0 for those that are not needed. */
  readonly arenas: readonly number[];
  /** Constants in flash: weights, biases, multipliers, tables. */
  readonly weightsBytes: number;
  /** The layer during which most of the arena is in use, and by what; absent for a graph without layers. */
  readonly peak: ArenaPeak | undefined;
  /** Whether an inference leaves all inputs as they were. */
  readonly inputKept: boolean;
  readonly layers: readonly AotLayer[];
}

function kernelCalls(graph: Graph, node: Node): readonly KernelCall[] {
  const { dtype } = tensorOf(graph, node.inputs[0]!).type;
  const calls = atNode(node.origin, () => opOf(node.op).kernels?.(callOf(graph, node)));
  if (!calls) throw cannotGenerate(node.origin, node.op, dtype);
  return calls;
}

/** The headers and those that they include, with their texts. */
function headerTexts(headers: readonly string[], kernels: ReadonlyMap<string, string>): [string, string][] {
  const texts = new Map<string, string>();
  const pending = [...headers];
  while (pending.length > 0) {
    const header = pending.pop()!;
    if (texts.has(header)) continue;
    const text = kernels.get(header);
    if (text === undefined) throw kernelTextMissing(header);
    texts.set(header, text);
    for (const [, included] of text.matchAll(/^#include "([^"]+)"/gm)) pending.push(included!);
  }
  return [...texts].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** A result that is a constant or an input has no layer to write it. */
function requireComputedOutputs(graph: Graph): void {
  const computed = new Set(graph.nodes.flatMap(({ outputs }) => outputs));
  const constant = graph.outputs.find((port) => !computed.has(port.value));
  if (constant) throw outputNotComputed(constant.name);
}

/**
 * C99 for one graph: `<name>.c`, `<name>.h`, the kernel headers they use, and build files for CMake and PlatformIO. No heap, no recursion, one static arena
 * (one for each memory that is needed) of exactly the size that the plan needs; the same graph and options give the same bytes. Throws TinymlError for a
 * node without a kernel.
 */
export function generateAot(graph: Graph, options: AotOptions): AotModel {
  requireComputedOutputs(graph);
  const table = portableKernels;
  const calls = new Map(graph.nodes.map((node) => [node, kernelCalls(graph, node)]));
  const plan = (choices: Choices) =>
    planModelMemory(
      graph,
      calls,
      (call) => memoryNeeds(choices.get(call)?.kernel) ?? table.get(call.kernel),
      options.regions?.map(({ bytes }) => bytes),
    );
  const choices = chooseKernels(graph, calls, options, (tried) => totalBytes(plan(tried)));
  const memory = plan(choices);
  const planner = new LayerPlanner(graph, table, choices, memory);
  const layers = graph.nodes.map((node, index) => planner.layer(node, index, calls.get(node)!));
  const written = new Set(graph.nodes.filter((_, i) => layers[i]!.calls.length > 0));
  const used = new Set(layers.flatMap((layer) => layer.calls.map(({ header }) => header)));
  const model: PlannedModel = {
    graph,
    prefix: identifier(options.name ?? 'model', 'model'),
    layers,
    constants: planner.constants.list,
    memory,
    weightsBytes: planner.constants.bytes(),
    headers: [...used].sort(),
    functions: [...planner.functions.values()],
  };
  return {
    files: new Map([
      [`${model.prefix}.c`, modelSource(model, options)],
      [`${model.prefix}.h`, modelHeader(model, options)],
      ...headerTexts(['tml_model.h', 'tml_quantize.h', ...model.headers], options.kernels),
      ...buildFiles(model.prefix, options.toolVersion),
    ]),
    arenaBytes: totalBytes(memory),
    arenas: memory.arenas,
    weightsBytes: model.weightsBytes,
    peak: memory.peak,
    inputKept: keepsInputs(graph, memory.places, written),
    layers: layers.map(({ calls: _calls, dtype: _dtype, ...layer }) => layer),
  };
}
