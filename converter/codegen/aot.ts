import { tensorOf } from '../ir/graph.ts';
import { byteCount } from '../ir/tensor.ts';
import type { Graph, Node, Shape, TensorData } from '../ir/types.ts';
import { atNode } from '../ops/at-node.ts';
import { callOf } from '../ops/call-of.ts';
import { opOf } from '../ops/index.ts';
import type { KernelCall } from '../ops/integer/kernel-call.ts';
import { buildFiles } from './build-files.ts';
import { constantArray, cTypeOf, identifier } from './c-text.ts';
import type { KernelChoice, MachineKernel } from './choice/kernel.ts';
import { cannotGenerate, kernelTextMissing, outputNotComputed } from './errors.ts';
import type { KernelTable } from './kernels/kernel-form.ts';
import { portableKernels } from './kernels/portable.ts';
import { functionOperands, kernelsFor, type Machine } from './machine.ts';
import { modelHeader } from './model-header.ts';
import { modelSource } from './model-source.ts';
import {
  type ArenaPeak,
  type ArenaPlace,
  copiesNothing,
  keepsInputs,
  type ModelMemory,
  planModelMemory,
  totalBytes,
} from './plan-model-memory.ts';

/** A memory of the board; the first is where a program's data are anyway, others need a section. */
export interface AotRegion {
  readonly bytes: number;
  /** Section of the linker script that is put there. */
  readonly section?: string;
}

export interface AotOptions {
  /** Stem of the files and prefix of the names; `model` when absent. */
  readonly name?: string;
  readonly toolVersion: string;
  /** The command line, for the banner. */
  readonly command: string;
  /** SHA-256 of model.tflite in hexadecimal. */
  readonly modelHash: string;
  /** `speed` specialises every kernel for its layer; `size` compiles each kernel once. */
  readonly optimize: 'speed' | 'size';
  /** Portable C99 when absent. */
  readonly machine?: Machine;
  /** The board's memories for data, the preferred one first; one of any size when absent. */
  readonly regions?: readonly AotRegion[];
  /** Texts of the kernel library's headers by file name. */
  readonly kernels: ReadonlyMap<string, string>;
}

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

const elementTypes = new Map([
  ['float32', 'float'],
  ['int8', 'int8_t'],
  ['uint8', 'uint8_t'],
  ['int16', 'int16_t'],
  ['int32', 'int32_t'],
]);

/** Constant arrays under unique names; equal ones are stored once. */
class ConstantPool {
  readonly list: PlannedConstant[] = [];
  private readonly byContent = new Map<string, string>();

  add(wanted: string, data: TensorData): string {
    const content = cTypeOf(data) + constantArray('', data);
    const known = this.byContent.get(content);
    if (known !== undefined) return known;
    const name = this.list.some((constant) => constant.name === wanted)
      ? `${wanted}_${this.list.length}`
      : wanted;
    this.byContent.set(content, name);
    this.list.push({ name, text: constantArray(name, data), bytes: data.byteLength });
    return name;
  }

  bytes(): number {
    return this.list.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}

function kernelCalls(graph: Graph, node: Node): readonly KernelCall[] {
  const { dtype } = tensorOf(graph, node.inputs[0]!).type;
  const calls = atNode(node.origin, () => opOf(node.op).kernels?.(callOf(graph, node)));
  if (!calls) throw cannotGenerate(node.origin, node.op, dtype);
  return calls;
}

type Choices = ReadonlyMap<KernelCall, KernelChoice>;

class Planner {
  readonly constants = new ConstantPool();
  readonly functions = new Map<string, string>();
  private readonly graph: Graph;
  private readonly table: KernelTable;
  private readonly choices: Choices;
  private readonly memory: ModelMemory;

  constructor(graph: Graph, table: KernelTable, choices: Choices, memory: ModelMemory) {
    this.graph = graph;
    this.table = table;
    this.choices = choices;
    this.memory = memory;
  }

  layer(node: Node, index: number, calls: readonly KernelCall[]): PlannedLayer {
    const inputs = node.inputs.map((name) => tensorOf(this.graph, name).type);
    const outputs = node.outputs.map((name) => tensorOf(this.graph, name).type);
    const before = this.constants.bytes();
    const needed = calls.filter((call) => !copiesNothing(node, call, this.memory.places));
    return {
      name: node.origin,
      op: node.op,
      dtype: inputs[0]!.dtype,
      inShape: inputs[0]!.shape,
      outShape: outputs[0]!.shape,
      macs: opOf(node.op).macs?.(inputs, outputs, node.attrs) ?? 0,
      calls: needed.map((call) => this.call(node, index, call)),
      weightsBytes: this.constants.bytes() - before,
      place: this.memory.places.get(node.outputs[0]!)!,
      outputBytes: byteCount(outputs[0]!),
      kernels: needed.flatMap((call) => this.choices.get(call) ?? []),
    };
  }

  private call(node: Node, index: number, call: KernelCall): PlannedCall {
    const chosen = this.choices.get(call)?.kernel;
    return chosen ? this.machineCall(node, index, call, chosen) : this.portableCall(node, index, call);
  }

  private machineCall(node: Node, index: number, call: KernelCall, chosen: MachineKernel): PlannedCall {
    const { kernel, params, header, struct, stream, scratchBytes, functions } = chosen;
    const inputs = call.args.flatMap((arg) =>
      typeof arg === 'number' ? [this.operand(node, index, node.inputs[arg]!)] : [],
    );
    for (const made of functions) if (made?.definition) this.functions.set(made.name, made.definition);
    const constant = (type: string, name: string) => ({ type, place: { constant: name } });
    const operands = [
      ...inputs,
      ...(stream ? [constant('const int32_t', this.constants.add(`tml_w_${index}_stream`, stream))] : []),
      ...(scratchBytes ? [{ type: 'uint32_t', place: this.memory.scratch.get(index)! }] : []),
      ...functionOperands(chosen).map(({ type, name }) => constant(type, name)),
      this.result(node, index),
    ];
    return { call: { kernel, params, args: [] }, header, struct, operands };
  }

  private portableCall(node: Node, index: number, call: KernelCall): PlannedCall {
    const form = this.table.get(call.kernel);
    if (!form) throw cannotGenerate(node.origin, node.op, call.kernel);
    const operands = call.args.map((arg) => {
      if (typeof arg === 'number') return this.operand(node, index, node.inputs[arg]!);
      const constant = this.constants.add(`tml_w_${index}_${arg.name}`, arg.data);
      return { type: `const ${cTypeOf(arg.data)}`, place: { constant } };
    });
    const { header, struct } = form;
    return { call, header, struct, operands: [...operands, this.result(node, index)] };
  }

  private result(node: Node, index: number): PlannedCall['operands'][number] {
    const { type, place } = this.operand(node, index, node.outputs[0]!);
    return { type: type.replace('const ', ''), place };
  }

  private operand(node: Node, index: number, name: string): { type: string; place: Place } {
    const { type, data } = tensorOf(this.graph, name);
    const element = elementTypes.get(type.dtype);
    if (element === undefined) throw cannotGenerate(node.origin, node.op, type.dtype);
    if (!data) return { type: `const ${element}`, place: this.memory.places.get(name)! };
    const constant = this.constants.add(`tml_w_${index}_input${node.inputs.indexOf(name)}`, data);
    return { type: `const ${element}`, place: { constant } };
  }
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
  const choices = kernelsFor(options.machine ?? 'any', [...calls.values()].flat());
  const memory = planModelMemory(
    graph,
    calls,
    (call) => choices.get(call)?.kernel ?? table.get(call.kernel),
    options.regions?.map(({ bytes }) => bytes),
  );
  const planner = new Planner(graph, table, choices, memory);
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
