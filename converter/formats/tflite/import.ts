import type { Graph, Node, Port, Value } from '../../ir/types.ts';
import { readFlatbuffer } from './container/read.ts';
import { type Model, type SubGraph, verifyModel } from './container/verify.ts';
import {
  damagedTflite,
  type UnsupportedOperator,
  unsupportedOperators,
  unsupportedTflite,
} from './errors.ts';
import { builtinName } from './operators.ts';
import { canRead, type FileOperator, type OperatorInput, readOperator } from './read-operator.ts';
import { TensorTable } from './tensor-table.ts';

export interface TfliteImport {
  readonly graph: Graph;
  /** What was decided for the user, in sentences. */
  readonly notes: readonly string[];
}

const customCode = 32;

/** Codes from 127 on have their own, newer field; the old field then holds 127. */
function operatorName(code: Model['operatorCodes'][number]): string {
  const number = Math.max(code.deprecatedBuiltinCode, code.builtinCode);
  return number === customCode
    ? `CUSTOM ${JSON.stringify(code.customCode.slice(0, 80))}`
    : builtinName(number);
}

function refuseUnreadable(file: string, model: Model, subgraph: SubGraph, names: readonly string[]): void {
  const kinds = new Map<string, { version: number; tensors: string[] }>();
  for (const [i, { opcodeIndex, outputs }] of subgraph.operators.entries()) {
    const name = names[opcodeIndex]!;
    if (canRead(name)) continue;
    const tensor = outputs.length > 0 ? subgraph.tensors[outputs[0]!]!.name : '';
    const kind = kinds.get(name) ?? { version: model.operatorCodes[opcodeIndex]!.version, tensors: [] };
    kind.tensors.push(tensor || `operator ${i}`);
    kinds.set(name, kind);
  }
  const list = [...kinds].map(([name, kind]): UnsupportedOperator => ({ name, ...kind }));
  if (list.length > 0) throw unsupportedOperators(file, list, subgraph.operators.length);
}

function singleSubgraph(file: string, model: Model): SubGraph {
  if (model.subgraphs.length > 1) {
    const hint = 'export the model without loops, conditions and start-up code (unroll or freeze it)';
    throw unsupportedTflite(
      file,
      'subgraphs',
      `has ${model.subgraphs.length} graphs; one is supported`,
      hint,
    );
  }
  return model.subgraphs[0]!;
}

/** Unknown sizes of an input: a batch becomes 1 (which files already say in `shape`), others cannot be guessed. */
function batchNote(file: string, table: TensorTable, subgraph: SubGraph, index: number): string | undefined {
  const { shape, shapeSignature } = subgraph.tensors[index]!;
  const unknown = Array.from(shapeSignature.keys()).filter((axis) => shapeSignature[axis] === -1);
  const beside = unknown.find((axis) => axis > 0);
  if (beside !== undefined) {
    const hint = 'export the model with a fixed input shape';
    throw unsupportedTflite(file, table.path(index), `has an unknown size on axis ${beside}`, hint);
  }
  if (unknown.length === 0 || shape[0] !== 1) return undefined;
  return `input ${JSON.stringify(table.rawName(index))} has an unknown batch size; 1 is taken`;
}

class GraphReader {
  private readonly file: string;
  private readonly subgraph: SubGraph;
  private readonly table: TensorTable;
  private readonly values = new Map<string, Value>();
  private readonly nodes: Node[] = [];
  private readonly made = new Set<number>();
  private readonly folded = new Map<number, number>();
  private hybrids = 0;

  constructor(file: string, model: Model, subgraph: SubGraph, fileBytes: number) {
    this.file = file;
    this.subgraph = subgraph;
    this.table = new TensorTable(model, subgraph, file, fileBytes);
  }

  read(names: readonly string[]): TfliteImport {
    const inputs = this.inputs();
    for (const i of this.subgraph.operators.keys()) this.operator(i, names);
    const outputs = Array.from(this.subgraph.outputs, (index) => this.output(index));
    const fallback = this.file.replace(/^.*[\\/]/, '').replace(/\.tflite$/i, '');
    const name = this.subgraph.name || fallback;
    const graph: Graph = { name, nodes: this.nodes, values: this.values, inputs, outputs };
    return { graph, notes: this.notes() };
  }

  private add(value: Value): Value {
    this.values.set(value.name, value);
    return value;
  }

  private port(value: Value): Port {
    this.add(value);
    return { name: value.name, value: value.name, shape: value.type.shape };
  }

  private inputs(): Port[] {
    return Array.from(this.subgraph.inputs, (index, i) => {
      if (this.made.has(index) || this.table.isConstant(index)) {
        throw damagedTflite(
          this.file,
          `subgraphs[0].inputs[${i}]`,
          'is constant or a second use of a tensor',
        );
      }
      this.made.add(index);
      return this.port(this.table.value(index));
    });
  }

  private output(index: number): Port {
    this.refuseUnmade(index, 'is an output of the graph');
    return this.port(this.valueOf(index));
  }

  /** A tensor's value, or that of the constant that a folded DEQUANTIZE made of it. */
  private valueOf(index: number): Value {
    const source = this.folded.get(index);
    return source === undefined ? this.table.value(index) : this.table.realConstant(source);
  }

  private refuseUnmade(index: number, use: string): void {
    if (this.made.has(index) || this.table.isConstant(index)) return;
    throw damagedTflite(this.file, this.table.path(index), `${use} but nothing makes it before that`);
  }

  private operator(i: number, names: readonly string[]): void {
    const { opcodeIndex, inputs, outputs, builtinOptions } = this.subgraph.operators[i]!;
    const place = `subgraphs[0].operators[${i}]`;
    const builtin = names[opcodeIndex]!;
    if (outputs.length !== 1)
      throw damagedTflite(this.file, `${place}.outputs`, `has ${outputs.length} tensors for ${builtin}`);
    const output = outputs[0]!;
    for (const index of inputs) {
      // An empty list, such as the shape of a scalar, has no bytes that would make it a constant.
      if (index < 0 || this.subgraph.tensors[index]!.shape.includes(0)) continue;
      this.refuseUnmade(index, `is read by ${place} (${builtin})`);
    }
    if (this.made.has(output) || this.table.isConstant(output)) {
      throw damagedTflite(this.file, `${place}.outputs[0]`, `is tensor ${output}, which is already made`);
    }
    this.made.add(output);
    if (builtin === 'DEQUANTIZE' && this.fold(inputs[0], output)) return;
    const sources = Array.from(inputs, (index) => this.source(index));
    this.append({ builtin, inputs: sources, output, options: builtinOptions });
  }

  private source(index: number): OperatorInput | undefined {
    if (index < 0) return undefined;
    const constant = this.folded.get(index);
    return constant === undefined ? { index, asReal: false } : { index: constant, asReal: true };
  }

  /** DEQUANTIZE of a constant is that constant as float. */
  private fold(input: number | undefined, output: number): boolean {
    if (input === undefined || input < 0 || !this.table.isConstant(input)) return false;
    this.folded.set(output, input);
    return true;
  }

  private append(operator: FileOperator): void {
    const { nodes, values, hybrid } = readOperator(this.file, this.table, operator);
    for (const value of values) this.add(value);
    this.nodes.push(...nodes);
    if (hybrid) this.hybrids++;
  }

  private notes(): string[] {
    const batches = Array.from(this.subgraph.inputs, (index) =>
      batchNote(this.file, this.table, this.subgraph, index),
    );
    const hybrid =
      this.hybrids > 0
        ? [
            `${this.hybrids} layers have integer weights and float activations (a hybrid model); the weights were turned into float, and --calib makes all of it int8`,
          ]
        : [];
    return [...batches.filter((note) => note !== undefined), ...hybrid];
  }
}

/**
 * Reads a TFLite file into the IR: float graphs as float, int8 and int16 graphs with their scales. Notes say what
 * was decided for the user. Throws TinymlError (E_TFLITE_*, E_MODEL_*) that names file and field or tensor.
 */
export function importTflite(bytes: Uint8Array, options: { readonly fileName: string }): TfliteImport {
  const file = options.fileName;
  const model = readFlatbuffer(bytes, file);
  verifyModel(model, file);
  const names = model.operatorCodes.map(operatorName);
  refuseUnreadable(file, model, model.subgraphs[0]!, names);
  return new GraphReader(file, model, singleSubgraph(file, model), bytes.length).read(names);
}
