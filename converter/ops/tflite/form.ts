import type { TinymlError } from '../../../common/tinyml-error.ts';
import type { AttributeValue, DType, Shape, TensorData, TensorType, Value } from '../../ir/types.ts';

/** One operator of a TFLite file, with what its tensors and options say. */
export interface TfliteRead {
  /** The file's own name of the operator, such as CONV_2D. */
  readonly builtin: string;
  /** Undefined where the file leaves an optional input out. */
  readonly inputs: readonly (Value | undefined)[];
  readonly output: Value;
  /** An input that must be there. */
  input(position: number): Value;
  /** The elements of an input that must be constant, as numbers. */
  constant(position: number): readonly number[];
  /** An option by the schema's name; the schema's default where the file does not say. */
  number(option: string): number;
  flag(option: string): boolean;
  list(option: string): readonly number[];
  /** A constant that the file does not hold. */
  newConstant(role: string, type: TensorType, data: TensorData): Value;
  /** `value` under another shape, by a reshape put before the operator. */
  reshaped(value: Value, shape: Shape): Value;
  refuse(what: string): TinymlError;
}

/** What an operator of the file is in the IR. */
export interface TfliteNode<A> {
  readonly inputs: readonly Value[];
  readonly attrs: A;
  /** The result's shape where it is not the IR operator's own: a reshape is put after it. */
  readonly resultShape?: Shape;
}

export type TfliteOptions = Readonly<Record<string, number | boolean | readonly number[]>>;

/** One operator to write. */
export interface TfliteOperator {
  readonly builtin: string;
  readonly version: number;
  readonly options?: TfliteOptions;
  readonly inputs: readonly Value[];
  readonly output: Value;
}

/** One node to write. */
export interface TfliteWrite<A> {
  readonly attrs: A;
  readonly inputs: readonly Value[];
  readonly output: Value;
  /** The operator version for the type of the first input. */
  readonly version: number;
  /** A constant that the operator takes as an input; `role` becomes part of its name. */
  constant(role: string, type: TensorType, data: TensorData): Value;
  /** A tensor between two operators of this node. */
  between(role: string, type: TensorType): Value;
  refuse(what: string, hint: string): TinymlError;
}

/** Operator version by the type of the first input; a type that is absent cannot be read or written. */
export type TfliteVersions = Readonly<Partial<Record<DType, number>>>;

/** How an operator stands in a TFLite file: reading and writing side by side. */
export interface TfliteForm<A> {
  readonly versions: TfliteVersions;
  /** By the file's operator name; several may read as the same IR operator. */
  readonly read: Readonly<Record<string, (call: TfliteRead) => TfliteNode<A>>>;
  write(call: TfliteWrite<A>): readonly TfliteOperator[];
}

/** An operator of one input whose attributes are numbers among its options, or that has none. */
export function tfliteUnary<A extends Readonly<Record<string, AttributeValue>>>(
  builtin: string,
  versions: TfliteVersions,
  numbers: readonly (keyof A & string)[] = [],
): TfliteForm<A> {
  return {
    versions,
    read: {
      [builtin]: (call) => ({
        inputs: [call.input(0)],
        attrs: Object.fromEntries(numbers.map((name) => [name, call.number(name)])) as A,
      }),
    },
    write: ({ attrs, inputs, output, version }) => [
      {
        builtin,
        version,
        options: Object.fromEntries(numbers.map((name) => [name, attrs[name] as number])),
        inputs,
        output,
      },
    ],
  };
}

/** A constant list of int32, as axes, shapes and paddings are given. */
export function int32Constant(
  call: Pick<TfliteWrite<unknown>, 'constant'>,
  role: string,
  numbers: readonly number[],
  shape: Shape = [numbers.length],
): Value {
  return call.constant(role, { dtype: 'int32', shape }, Int32Array.from(numbers));
}

/** A non-negative axis, where the file may count from the end. */
export function canonicalAxis(call: TfliteRead, axis: number, rank: number): number {
  const canonical = axis < 0 ? axis + rank : axis;
  if (canonical < 0 || canonical >= rank) throw call.refuse(`axis ${axis} is beyond the ${rank} axes`);
  return canonical;
}
