import { tensorOf } from '../ir/graph.ts';
import { byteCount } from '../ir/tensor.ts';
import type { Graph, Node, TensorData } from '../ir/types.ts';
import type { KernelCall } from '../ops/integer/kernel-call.ts';
import { cTypeOf } from './c-text.ts';
import type { CodedStream } from './choice/coded-stream.ts';
import type { MachineKernel } from './choice/kernel.ts';
import { type Choices, macsOf } from './choose-kernels.ts';
import { decodedAt } from './code-weights.ts';
import { ConstantPool } from './constant-pool.ts';
import { cannotGenerate } from './errors.ts';
import type { KernelTable } from './kernels/kernel-form.ts';
import { functionOperands } from './machine.ts';
import { type ArenaPlace, copiesNothing, type ModelMemory } from './plan-model-memory.ts';
import type { Place, PlannedCall, PlannedLayer } from './planned-model.ts';

const elementTypes = new Map([
  ['float32', 'float'],
  ['int8', 'int8_t'],
  ['uint8', 'uint8_t'],
  ['int16', 'int16_t'],
  ['int32', 'int32_t'],
]);

/** Turns the nodes of a graph into C calls, with their constants and the functions that their kernels are given. */
export class LayerPlanner {
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
      macs: macsOf(this.graph, node),
      calls: needed.flatMap((call) => this.call(node, index, call)),
      weightsBytes: this.constants.bytes() - before,
      place: this.memory.places.get(node.outputs[0]!)!,
      outputBytes: byteCount(outputs[0]!),
      kernels: needed.flatMap((call) => {
        const choice = this.choices.get(call);
        return choice ? [{ form: choice.form, declined: choice.declined }] : [];
      }),
    };
  }

  private call(node: Node, index: number, call: KernelCall): PlannedCall[] {
    const chosen = this.choices.get(call)?.kernel;
    if (!chosen) return [this.portableCall(node, index, call)];
    const decoding = chosen.coded ? [this.decodingCall(index, chosen, chosen.coded)] : [];
    return [...decoding, this.machineCall(node, index, call, chosen)];
  }

  /** Where a layer's decoded constants are while it runs. */
  private decoded(index: number, chosen: MachineKernel): ArenaPlace {
    const { arena, offset } = this.memory.scratch.get(index)!;
    return { arena, offset: offset + decodedAt(chosen) };
  }

  private decodingCall(index: number, chosen: MachineKernel, coded: CodedStream): PlannedCall {
    const { kernel, params, words, coded: codes, table } = coded;
    const constant = (name: string, data: TensorData) => ({
      type: `const ${cTypeOf(data)}`,
      place: { constant: this.constants.add(`tml_w_${index}_${name}`, data) },
    });
    const stream = { type: 'uint32_t', place: this.decoded(index, chosen) };
    return {
      call: { kernel, params, args: [] },
      header: 'tml_decode.h',
      struct: 'tml_decode',
      operands: [constant('words', words), constant('codes', codes), constant('table', table), stream],
    };
  }

  private machineCall(node: Node, index: number, call: KernelCall, chosen: MachineKernel): PlannedCall {
    const { kernel, params, header, struct, stream, coded, scratchBytes, functions } = chosen;
    const inputs = call.args.flatMap((arg) =>
      typeof arg === 'number' ? [this.operand(node, index, node.inputs[arg]!)] : [],
    );
    for (const made of functions) if (made?.definition) this.functions.set(made.name, made.definition);
    const constant = (type: string, name: string) => ({ type, place: { constant: name } });
    const constants = (whole: Int32Array) =>
      coded
        ? { type: 'const int32_t', place: this.decoded(index, chosen) }
        : constant('const int32_t', this.constants.add(`tml_w_${index}_stream`, whole));
    const operands = [
      ...inputs,
      ...(stream ? [constants(stream)] : []),
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
