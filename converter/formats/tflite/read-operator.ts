import { TinymlError } from '../../../common/tinyml-error.ts';
import { sameShape, toNumbers } from '../../ir/tensor.ts';
import type { Attributes, Node, Shape, TensorData, TensorType, Value } from '../../ir/types.ts';
import type { OpDefinition } from '../../ops/define-op.ts';
import { ops } from '../../ops/index.ts';
import { opRules } from '../../ops/rules.ts';
import type { TfliteForm, TfliteNode, TfliteRead } from '../../ops/tflite/form.ts';
import { defaultOptions } from './container/read.ts';
import type { DecodedOptions, OptionValue } from './container/types.ts';
import { locatedFault, refusedOperator } from './errors.ts';
import { optionsOf } from './operators.ts';
import type { TensorTable } from './tensor-table.ts';

interface Reader {
  readonly op: OpDefinition;
  readonly form: TfliteForm<Attributes>;
  readonly read: (call: TfliteRead) => TfliteNode<Attributes>;
}

const readers = new Map<string, Reader>(
  ops.flatMap((op) => {
    const { tflite: form } = op;
    if (!form) return [];
    return Object.entries(form.read).map(([builtin, read]): [string, Reader] => [
      builtin,
      { op, form, read },
    ]);
  }),
);

/** Whether an operator of a file has a meaning in the IR. */
export function canRead(builtin: string): boolean {
  return readers.has(builtin);
}

/** Multiplications by weights, whose kernels also take float input with integer weights (hybrid models). */
const weighted = ['CONV_2D', 'DEPTHWISE_CONV_2D', 'FULLY_CONNECTED'];

/** A tensor that an operator reads; `asReal` where a folded DEQUANTIZE stood before it. */
export interface OperatorInput {
  readonly index: number;
  readonly asReal: boolean;
}

/** An operator as the file has it, indices checked; optional inputs that are left out are undefined. */
export interface FileOperator {
  readonly builtin: string;
  readonly inputs: readonly (OperatorInput | undefined)[];
  readonly output: number;
  readonly options: DecodedOptions | undefined;
}

/** What one operator became. */
export interface ReadResult {
  readonly nodes: readonly Node[];
  /** Every value that the nodes touch. */
  readonly values: readonly Value[];
  /** The weights were integers under float activations. */
  readonly hybrid: boolean;
}

/** One operator of the file on its way into the IR; collects the nodes and values that it becomes. */
class OperatorReader implements TfliteRead {
  readonly builtin: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly output: Value;
  readonly nodes: Node[] = [];
  readonly values: Value[] = [];
  hybrid = false;
  private readonly options: Readonly<Record<string, OptionValue>>;
  private readonly file: string;
  private readonly table: TensorTable;

  constructor(file: string, table: TensorTable, operator: FileOperator) {
    this.file = file;
    this.table = table;
    this.builtin = operator.builtin;
    this.output = table.value(operator.output);
    this.options = this.optionsFor(operator.options);
    this.inputs = this.readInputs(operator.inputs);
  }

  input(position: number): Value {
    const value = this.inputs[position];
    if (!value) throw this.refuse(`input ${position} is missing`);
    return value;
  }

  constant(position: number): readonly number[] {
    const value = this.input(position);
    if (value.type.shape.includes(0)) return [];
    if (!value.data)
      throw this.refuse(
        `input ${position} (${JSON.stringify(value.name.slice(0, 80))}) is computed; it must be constant`,
      );
    return toNumbers(value.data);
  }

  number(option: string): number {
    return Number(this.options[option]);
  }

  flag(option: string): boolean {
    return this.options[option] === true;
  }

  list(option: string): readonly number[] {
    return Array.from(this.options[option] as Int32Array);
  }

  newConstant(role: string, type: TensorType, data: TensorData): Value {
    return { name: this.table.fresh(`${this.output.name}/${role}`), type, data };
  }

  reshaped(value: Value, shape: Shape): Value {
    const name = this.table.fresh(`${this.output.name}/reshaped`);
    const result: Value = { name, type: { ...value.type, shape } };
    this.emit('reshape', [value], result, { shape });
    return result;
  }

  refuse(what: string): TinymlError {
    return refusedOperator(this.file, this.builtin, this.output.name, what);
  }

  /** Adds a node after checking its attributes and its types against those that the file declares. */
  emit(op: string, inputs: readonly Value[], output: Value, attrs: Attributes): void {
    const node: Node = {
      op,
      inputs: inputs.map((value) => value.name),
      outputs: [output.name],
      attrs,
      origin: this.output.name,
    };
    const complaint = opRules.attributes(node);
    if (complaint) throw this.refuse(complaint);
    const [made] = this.located(() =>
      opRules.infer(
        node,
        inputs.map((value) => value.type),
      ),
    );
    const { dtype, shape } = output.type;
    if (made!.dtype !== dtype || !sameShape(made!.shape, shape)) {
      throw this.refuse(`it makes ${made!.dtype}[${made!.shape}], but the file declares ${dtype}[${shape}]`);
    }
    this.nodes.push(node);
    this.values.push(...inputs, output);
  }

  /** The result before a reshape into the shape that the file declares. */
  beforeReshape(op: string, inputs: readonly Value[], attrs: Attributes): Value {
    const types = inputs.map((value) => value.type);
    const node = { op, inputs: [], outputs: [], attrs, origin: this.output.name };
    const [made] = this.located(() => opRules.infer(node, types));
    const { quant } = this.output.type;
    const name = this.table.fresh(`${this.output.name}/whole`);
    return { name, type: { ...made!, ...(quant ? { quant } : {}) } };
  }

  private located<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      if (!(error instanceof TinymlError)) throw error;
      throw locatedFault(this.file, this.builtin, this.output.name, error);
    }
  }

  private optionsFor(options: DecodedOptions | undefined): Readonly<Record<string, OptionValue>> {
    const expected = optionsOf(this.builtin);
    if (!expected) return {};
    if (!options) return defaultOptions(expected.table) as Readonly<Record<string, OptionValue>>;
    if (options.table !== expected.table) {
      throw this.refuse(`its options are ${options.table}, not ${expected.table}`);
    }
    return options.value;
  }

  private readInputs(list: readonly (OperatorInput | undefined)[]): readonly (Value | undefined)[] {
    const [first] = list;
    const isFloat = first && (first.asReal || this.table.type(first.index).dtype === 'float32');
    const isWeighted = isFloat && weighted.includes(this.builtin);
    return list.map((input, position) => {
      if (!input) return undefined;
      const { index, asReal } = input;
      if (asReal) return this.table.realConstant(index);
      const isHybrid =
        isWeighted && position > 0 && this.table.isConstant(index) && this.table.type(index).quant;
      if (!isHybrid) return this.table.value(index);
      this.hybrid = true;
      return this.table.realConstant(index);
    });
  }
}

function checkTypes(call: OperatorReader, form: TfliteForm<Attributes>): void {
  const { dtype } = call.input(0).type;
  if (form.versions[dtype] === undefined) throw call.refuse(`it takes ${dtype}, which is not supported`);
  const { quant, dtype: made } = call.output.type;
  const narrow = made === 'int8' || made === 'uint8' || made === 'int16';
  if (narrow && !quant) throw call.refuse(`its result is ${made} without a scale`);
  if (quant?.axis !== undefined) throw call.refuse('its result has a scale for each channel');
}

/**
 * The nodes that one operator of the file stands for. Throws TinymlError that names the file, the operator and the
 * tensor it makes.
 */
export function readOperator(file: string, table: TensorTable, operator: FileOperator): ReadResult {
  const { op, form, read } = readers.get(operator.builtin)!;
  const call = new OperatorReader(file, table, operator);
  checkTypes(call, form);
  const { inputs, attrs, resultShape } = read(call);
  if (resultShape && !sameShape(resultShape, call.output.type.shape)) {
    const { shape } = call.output.type;
    throw call.refuse(`it makes shape [${resultShape}], but the file declares [${shape}]`);
  }
  const direct = resultShape ? call.beforeReshape(op.name, inputs, attrs) : call.output;
  if (sameShape(direct.type.shape, call.output.type.shape)) {
    call.emit(op.name, inputs, call.output, attrs);
  } else {
    call.emit(op.name, inputs, direct, attrs);
    call.emit('reshape', [direct], call.output, { shape: call.output.type.shape });
  }
  return { nodes: call.nodes, values: call.values, hybrid: call.hybrid };
}
