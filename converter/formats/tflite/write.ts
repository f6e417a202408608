import { TinymlError } from '../../../common/tinyml-error.ts';
import { tensorOf } from '../../ir/graph.ts';
import { Names } from '../../ir/names.ts';
import { packNibbles } from '../../ir/nibbles.ts';
import { bytesOf } from '../../ir/tensor.ts';
import type { Graph, Node, TensorData, TensorType, Value } from '../../ir/types.ts';
import { opOf } from '../../ops/index.ts';
import type { TfliteOperator, TfliteOptions, TfliteWrite } from '../../ops/tflite/form.ts';
import { readFlatbuffer } from './container/read.ts';
import type { DecodedOptions, Encodable, OptionValue } from './container/types.ts';
import { verifyModel } from './container/verify.ts';
import { writeFlatbuffer } from './container/write.ts';
import { internalBadExport, notExpressible } from './errors.ts';
import { builtinCode, optionsOf } from './operators.ts';
import { dataAlignment, schemaVersion, tensorTypes } from './schema.ts';

/** Operators from this number on are named in the newer field of an operator code; the old one holds 127. */
const oldCodeLimit = 127;

function quantizationFields(value: Value): Encodable<'QuantizationParameters'> | undefined {
  const { quant, dtype } = value.type;
  if (!quant) return undefined;
  const isBias = dtype === 'int32' || dtype === 'int64';
  const rounded = quant.scale.find((scale) => Math.fround(scale) !== scale);
  if (rounded !== undefined && !isBias) {
    throw internalBadExport(`the scale ${rounded} of ${JSON.stringify(value.name)} is no float32`);
  }
  return {
    scale: Float32Array.from(quant.scale),
    zeroPoint: BigInt64Array.from(quant.zeroPoint, BigInt),
    quantizedDimension: quant.axis ?? 0,
  };
}

function optionFields(builtin: string, options: TfliteOptions | undefined): DecodedOptions | undefined {
  const table = optionsOf(builtin)?.table;
  if (!table) return undefined;
  const stored = (value: TfliteOptions[string]): OptionValue =>
    typeof value === 'object' ? Int32Array.from(value) : value;
  const fields = Object.entries(options ?? {}).map(([name, value]) => [name, stored(value)] as const);
  return { table, value: Object.fromEntries(fields) };
}

/** Bytes as the file holds them: two weights of 4 bits in one. */
function storedBytes({ bits }: TensorType, data: TensorData): Uint8Array {
  return bits === 4 ? packNibbles(data as Int8Array) : bytesOf(data);
}

/** The tables of a file under construction. */
class ModelWriter {
  private readonly buffers: Encodable<'Buffer'>[] = [{}];
  private readonly tensors: Encodable<'Tensor'>[] = [];
  private readonly operators: Encodable<'Operator'>[] = [];
  private readonly codes: Encodable<'OperatorCode'>[] = [];
  private readonly tensorIndex = new Map<string, number>();
  private readonly codeIndex = new Map<string, number>();
  private readonly portNames = new Map<string, string>();
  private readonly names: Names;
  private readonly graph: Graph;

  constructor(graph: Graph) {
    this.graph = graph;
    for (const port of [...graph.inputs, ...graph.outputs]) {
      if (!this.portNames.has(port.value)) this.portNames.set(port.value, port.name);
    }
    this.names = new Names([...graph.values.keys()].map((name) => this.tensorName(name)));
  }

  model(description: string): Encodable<'Model'> {
    const inputs = this.ports(this.graph.inputs);
    for (const node of this.graph.nodes) this.node(node);
    const outputs = this.ports(this.graph.outputs);
    const { tensors, operators, codes: operatorCodes, buffers } = this;
    const subgraph = { tensors, inputs, outputs, operators, name: this.graph.name };
    return { version: schemaVersion, operatorCodes, subgraphs: [subgraph], description, buffers };
  }

  private ports(ports: Graph['inputs']): Int32Array {
    return Int32Array.from(ports, (port) => this.tensor(tensorOf(this.graph, port.value)));
  }

  private tensorName(valueName: string): string {
    return this.portNames.get(valueName) ?? valueName;
  }

  private tensor(value: Value): number {
    const known = this.tensorIndex.get(value.name);
    if (known !== undefined) return known;
    const quantization = quantizationFields(value);
    const index = this.tensors.push({
      shape: Int32Array.from(value.type.shape),
      type: tensorTypes.indexOf(value.type.bits === 4 ? 'int4' : value.type.dtype),
      buffer: value.data ? this.buffers.push({ data: storedBytes(value.type, value.data) }) - 1 : 0,
      name: this.tensorName(value.name),
      ...(quantization ? { quantization } : {}),
    });
    this.tensorIndex.set(value.name, index - 1);
    return index - 1;
  }

  private code(builtin: string, version: number): number {
    const key = `${builtin} ${version}`;
    const known = this.codeIndex.get(key);
    if (known !== undefined) return known;
    const number = builtinCode(builtin);
    const deprecatedBuiltinCode = Math.min(number, oldCodeLimit);
    const index = this.codes.push({ deprecatedBuiltinCode, builtinCode: number, version }) - 1;
    this.codeIndex.set(key, index);
    return index;
  }

  private operator({ builtin, version, options, inputs, output }: TfliteOperator): void {
    const builtinOptions = optionFields(builtin, options);
    this.operators.push({
      opcodeIndex: this.code(builtin, version),
      inputs: Int32Array.from(inputs, (value) => this.tensor(value)),
      outputs: Int32Array.of(this.tensor(output)),
      ...(builtinOptions ? { builtinOptions } : {}),
    });
  }

  private node(node: Node): void {
    const refuse = (what: string, hint: string) => notExpressible(node.op, node.origin, what, hint);
    const { tflite } = opOf(node.op);
    if (!tflite) throw refuse('the format has no such operator', 'tinyml ops lists those that have one');
    const values = node.inputs.map((name) => tensorOf(this.graph, name));
    const output = tensorOf(this.graph, node.outputs[0]!);
    const dtype = values[0]!.type.dtype;
    const version = tflite.versions[dtype];
    if (version === undefined) {
      const types = Object.keys(tflite.versions).join(', ');
      throw refuse(`its kernels do not take ${dtype}`, `TFLite has this operator for ${types}`);
    }
    const derived = (role: string) => this.names.fresh(`${this.tensorName(output.name)}/${role}`);
    const call: TfliteWrite<Node['attrs']> = {
      attrs: node.attrs,
      inputs: values,
      output,
      version,
      constant: (role, type, data) => ({ name: derived(role), type, data }),
      between: (role: string, type: TensorType) => ({ name: derived(role), type }),
      refuse,
    };
    for (const operator of tflite.write(call)) this.operator(operator);
  }
}

/** What we write must pass what we read with; anything else would reach a board as a crash. */
function verifyWritten(bytes: Uint8Array): void {
  try {
    const model = readFlatbuffer(bytes, 'model.tflite');
    verifyModel(model, 'model.tflite');
    const start = bytes.byteOffset;
    const isAligned = ({ data }: { data: Uint8Array }) => (data.byteOffset - start) % dataAlignment === 0;
    if (!model.buffers.every(isAligned)) throw internalBadExport('a buffer is not aligned');
    if (model.buffers[0]!.data.length > 0) throw internalBadExport('buffer 0 is not empty');
  } catch (error) {
    throw error instanceof TinymlError ? internalBadExport(error.message, error) : error;
  }
}

/**
 * The bytes of a TFLite file that holds the graph as it stands: float, int8 or int16, values in the graph's own
 * layout, tensors of ports under the ports' names. The same graph gives the same bytes. Throws TinymlError
 * E_TFLITE_EXPORT naming the layer that TFLite cannot express.
 */
export function writeTflite(
  graph: Graph,
  { description = 'tinyml' }: { readonly description?: string } = {},
): Uint8Array {
  const bytes = writeFlatbuffer(new ModelWriter(graph).model(description));
  verifyWritten(bytes);
  return bytes;
}
