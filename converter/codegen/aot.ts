import { tensorOf } from '../ir/graph.ts';
import { byteCount } from '../ir/tensor.ts';
import type { Graph, Node, Shape, TensorData } from '../ir/types.ts';
import { atNode } from '../ops/at-node.ts';
import { callOf } from '../ops/call-of.ts';
import { opOf } from '../ops/index.ts';
import type { KernelCall } from '../ops/integer/kernel-call.ts';
import { assignStorage } from './assign-storage.ts';
import { buildFiles } from './build-files.ts';
import { constantArray, cTypeOf, identifier } from './c-text.ts';
import { cannotGenerate, kernelTextMissing, outputNotComputed } from './errors.ts';
import type { KernelTable } from './kernels/kernel-form.ts';
import { portableKernels } from './kernels/portable.ts';
import { modelHeader } from './model-header.ts';
import { modelSource } from './model-source.ts';
import { planMemory } from './plan-memory.ts';

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
  /** Where the result stands in the arena. */
  readonly arenaOffset: number;
  readonly outputBytes: number;
}

export interface AotModel {
  readonly files: ReadonlyMap<string, string>;
  /** Exact size of the one static array that all tensors live in. */
  readonly arenaBytes: number;
  /** Constants in flash: weights, biases, multipliers, tables. */
  readonly weightsBytes: number;
  /** The layer during which most of the arena is in use. */
  readonly peakLayer: string | undefined;
  /** Whether an inference leaves all inputs as they were. */
  readonly inputKept: boolean;
  readonly layers: readonly AotLayer[];
}

/** Where a tensor is: a place in the arena, or a constant. */
export type Place = { readonly offset: number } | { readonly constant: string };

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
  readonly arenaBytes: number;
  readonly weightsBytes: number;
  readonly headers: readonly string[];
  offsetOf(value: string): number;
}

/** Tensors start at multiples of this, so that words can be loaded from them. */
const tensorAlignment = 4;

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

/** Inputs whose place the result may take: read by every call, in kernels that allow it. */
function inPlaceInputs(node: Node, calls: readonly KernelCall[], table: KernelTable): string[] {
  if (!calls.every(({ kernel }) => table.get(kernel)?.inPlace)) return [];
  const read = calls[0]?.args.filter((arg) => typeof arg === 'number') ?? [];
  return read.map((position) => node.inputs[position]!);
}

class Planner {
  readonly constants = new ConstantPool();
  private readonly graph: Graph;
  private readonly table: KernelTable;
  private readonly offsets: ReadonlyMap<string, number>;

  constructor(graph: Graph, table: KernelTable, offsets: ReadonlyMap<string, number>) {
    this.graph = graph;
    this.table = table;
    this.offsets = offsets;
  }

  layer(node: Node, index: number, calls: readonly KernelCall[]): PlannedLayer {
    const inputs = node.inputs.map((name) => tensorOf(this.graph, name).type);
    const outputs = node.outputs.map((name) => tensorOf(this.graph, name).type);
    const before = this.constants.bytes();
    const moved = this.offsets.get(node.inputs[0]!) !== this.offsets.get(node.outputs[0]!);
    const needed = node.op === 'reshape' && !moved ? [] : calls;
    return {
      name: node.origin,
      op: node.op,
      dtype: inputs[0]!.dtype,
      inShape: inputs[0]!.shape,
      outShape: outputs[0]!.shape,
      macs: opOf(node.op).macs?.(inputs, outputs, node.attrs) ?? 0,
      calls: needed.map((call) => this.call(node, index, call)),
      weightsBytes: this.constants.bytes() - before,
      arenaOffset: this.offsets.get(node.outputs[0]!)!,
      outputBytes: byteCount(outputs[0]!),
    };
  }

  private call(node: Node, index: number, call: KernelCall): PlannedCall {
    const form = this.table.get(call.kernel);
    if (!form) throw cannotGenerate(node.origin, node.op, call.kernel);
    const operands = call.args.map((arg) => {
      if (typeof arg === 'number') return this.operand(node, index, node.inputs[arg]!);
      const constant = this.constants.add(`tml_w_${index}_${arg.name}`, arg.data);
      return { type: `const ${cTypeOf(arg.data)}`, place: { constant } };
    });
    const result = this.operand(node, index, node.outputs[0]!);
    const writable = { ...result, type: result.type.replace('const ', '') };
    return { call, header: form.header, struct: form.struct, operands: [...operands, writable] };
  }

  private operand(node: Node, index: number, name: string): { type: string; place: Place } {
    const { type, data } = tensorOf(this.graph, name);
    const element = elementTypes.get(type.dtype);
    if (element === undefined) throw cannotGenerate(node.origin, node.op, type.dtype);
    if (!data) return { type: `const ${element}`, place: { offset: this.offsets.get(name)! } };
    const constant = this.constants.add(`tml_w_${index}_input${node.inputs.indexOf(name)}`, data);
    return { type: `const ${element}`, place: { constant } };
  }
}

/** Whether nothing but the inputs themselves is ever put where they stand. */
function keepsInputs(graph: Graph, offsets: ReadonlyMap<string, number>): boolean {
  const span = (name: string) => {
    const start = offsets.get(name)!;
    return [start, start + byteCount(tensorOf(graph, name).type)] as const;
  };
  const views = new Set(graph.inputs.map((port) => port.value));
  for (const node of graph.nodes)
    if (node.op === 'reshape' && views.has(node.inputs[0]!)) views.add(node.outputs[0]!);
  const inputs = graph.inputs.map((port) => span(port.value));
  return graph.nodes.every((node) => {
    if (views.has(node.outputs[0]!)) return true;
    const [start, end] = span(node.outputs[0]!);
    return inputs.every(([from, to]) => end <= from || to <= start);
  });
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
 * of exactly the size that the plan needs; the same graph and options give the same bytes. Throws TinymlError for a
 * node without a kernel.
 */
export function generateAot(graph: Graph, options: AotOptions): AotModel {
  requireComputedOutputs(graph);
  const table = portableKernels;
  const calls = new Map(graph.nodes.map((node) => [node, kernelCalls(graph, node)]));
  const storage = assignStorage(graph, (node) => inPlaceInputs(node, calls.get(node)!, table));
  const plan = planMemory(storage.buffers, tensorAlignment);
  const offsets = new Map([...storage.bufferOf].map(([name, buffer]) => [name, plan.offsets[buffer]!]));
  const planner = new Planner(graph, table, offsets);
  const layers = graph.nodes.map((node, index) => planner.layer(node, index, calls.get(node)!));
  const used = new Set(layers.flatMap((layer) => layer.calls.map(({ header }) => header)));
  const model: PlannedModel = {
    graph,
    prefix: identifier(options.name ?? 'model', 'model'),
    layers,
    constants: planner.constants.list,
    arenaBytes: plan.bytes,
    weightsBytes: planner.constants.bytes(),
    headers: [...used].sort(),
    offsetOf: (value) => offsets.get(value)!,
  };
  return {
    files: new Map([
      [`${model.prefix}.c`, modelSource(model, options)],
      [`${model.prefix}.h`, modelHeader(model, options)],
      ...headerTexts(['tml_model.h', 'tml_quantize.h', ...model.headers], options.kernels),
      ...buildFiles(model.prefix, options.toolVersion),
    ]),
    arenaBytes: plan.bytes,
    weightsBytes: model.weightsBytes,
    peakLayer: graph.nodes[Math.max(0, plan.peakStep)]?.origin,
    inputKept: keepsInputs(graph, offsets),
    layers: layers.map(({ calls: _calls, dtype: _dtype, ...layer }) => layer),
  };
}
