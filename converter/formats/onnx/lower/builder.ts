import { Names } from '../../../ir/names.ts';
import { elementCount, transposeData } from '../../../ir/tensor.ts';
import type { Attributes, Node, Shape, TensorData, Value } from '../../../ir/types.ts';
import { opOf } from '../../../ops/index.ts';
import {
  constantMismatch,
  derivedTooLarge,
  fileTooLarge,
  notConvertible,
  valueTooLarge,
  weightsNotFinite,
} from '../errors.ts';
import { mostDerivedBytes, mostElements, mostMadeNodes } from '../limits.ts';

/** The graph in the making: nodes in order, values by unique names. */
export class GraphBuilder {
  readonly nodes: Node[] = [];
  readonly values = new Map<string, Value>();
  private readonly names = new Names();
  /** Constants that are part of the graph, by the constant they were given as. */
  private readonly registered = new Map<Value, Value>();
  private readonly derivedOf = new Map<Value, Map<string, Value>>();
  private derivedBytes = 0;
  /** Scales of stored weights, in the order of the file. */
  readonly storedScales: (readonly number[])[] = [];

  /** An input of the graph. */
  input(value: Value): Value {
    const made = { ...value, name: this.names.fresh(value.name) };
    this.values.set(made.name, made);
    return made;
  }

  /** Adds a node and gives back its result. */
  add(op: string, inputs: readonly Value[], attrs: Attributes, origin: string, name: string): Value {
    if (this.nodes.length >= mostMadeNodes) throw fileTooLarge('nodes after conversion', mostMadeNodes);
    const definition = opOf(op);
    const [, most] = definition.arity;
    if (inputs.length > most)
      throw notConvertible(`it has ${inputs.length} inputs, at most ${most} are possible`);
    const operands = inputs.map((input) => (input.data ? this.register(input) : input));
    const [result] = definition.infer(
      operands.map(({ type }) => type),
      attrs,
    );
    const value: Value = { name: this.names.fresh(name), type: result! };
    checkSize(value);
    this.values.set(value.name, value);
    this.nodes.push({
      op,
      inputs: operands.map((operand) => operand.name),
      outputs: [value.name],
      attrs,
      origin,
    });
    return value;
  }

  /**
   * A constant made from another, once for each `key`: many nodes may share weights, and a file must not be able
   * to multiply them.
   */
  derive(source: Value, key: string, shape: Shape, make: () => TensorData, suffix = ''): Value {
    const known = this.derivedOf.get(source) ?? new Map<string, Value>();
    this.derivedOf.set(source, known);
    const earlier = known.get(key);
    if (earlier) return earlier;
    const { dtype } = source.type;
    this.derivedBytes += elementCount(shape) * 4;
    if (!(this.derivedBytes <= mostDerivedBytes)) throw derivedTooLarge(source.name, mostDerivedBytes);
    const name = suffix === '' ? source.name : `${source.name.slice(0, 200)}${suffix}`;
    const value: Value = { name, type: { dtype, shape }, data: make() };
    known.set(key, value);
    return value;
  }

  private register(constant: Value): Value {
    const earlier = this.registered.get(constant);
    if (earlier) return earlier;
    checkSize(constant);
    const { dtype } = constant.type;
    if (dtype !== 'float32') throw constantMismatch('the node', `constant "${constant.name}" is ${dtype}`);
    checkFinite(constant);
    const value = { ...constant, name: this.names.fresh(constant.name || 'constant') };
    this.values.set(value.name, value);
    this.registered.set(constant, value);
    return value;
  }
}

function checkSize({ name, type: { shape } }: Value): void {
  const whole = shape.every((size) => Number.isSafeInteger(size) && size > 0);
  if (!whole || elementCount(shape) > mostElements) throw valueTooLarge(name, shape, mostElements);
}

/** Throws E_ONNX_NOT_FINITE when a constant has NaN or infinite elements. */
export function checkFinite({ name, data }: Value): void {
  if (!(data instanceof Float32Array)) return;
  let bad = 0;
  for (const element of data) if (!Number.isFinite(element)) bad++;
  if (bad > 0) throw weightsNotFinite(name, bad, data.length);
}

/** Makes the nodes that one ONNX node becomes. */
export class NodeBuilder {
  private readonly graph: GraphBuilder;
  private readonly origin: string;
  private readonly base: string;

  /** `base` is the name of the node's first result. */
  constructor(graph: GraphBuilder, origin: string, base: string) {
    this.graph = graph;
    this.origin = origin;
    this.base = base;
  }

  emit(op: string, inputs: readonly Value[], attrs: Attributes, suffix = ''): Value {
    return this.graph.add(op, inputs, attrs, this.origin, `${this.base.slice(0, 200)}${suffix}`);
  }

  /** Remembers the scales of stored weights whose real values are used. */
  noteScales(scales: readonly number[]): void {
    this.graph.storedScales.push(scales.map(Math.fround));
  }

  /** A constant computed from another; `key` tells what was done to it. */
  derive(source: Value, key: string, shape: Shape, make: () => TensorData, suffix = ''): Value {
    return this.graph.derive(source, key, shape, make, suffix);
  }

  /** A new small constant, named after the node. */
  constant(suffix: string, shape: Shape, data: Float32Array): Value {
    return { name: `${this.base.slice(0, 200)}${suffix}`, type: { dtype: 'float32', shape }, data };
  }

  scalar(value: number): Value {
    return this.constant(`:${value}`, [], Float32Array.of(value));
  }

  reshape(x: Value, shape: Shape): Value {
    const { data } = x;
    const same = x.type.shape.length === shape.length && x.type.shape.every((size, i) => size === shape[i]);
    if (same) return x;
    if (data) return this.derive(x, `reshape ${shape}`, shape, () => data);
    return this.emit('reshape', [x], { shape }, ':reshape');
  }

  transpose(x: Value, perm: readonly number[], suffix = ':transpose'): Value {
    const { data } = x;
    if (perm.every((axis, position) => axis === position)) return x;
    if (!data) return this.emit('transpose', [x], { perm }, suffix);
    const shape = perm.map((axis) => x.type.shape[axis]!);
    return this.derive(x, `transpose ${perm}`, shape, () => transposeData(data, x.type.shape, perm));
  }

  /** An element-wise operation of two inputs, brought to the same rank so that layouts can be moved through it. */
  binary(op: string, a: Value, b: Value): Value {
    const rank = Math.max(a.type.shape.length, b.type.shape.length);
    return this.emit(op, [this.toRank(a, rank), this.toRank(b, rank)], { activation: 'none' });
  }

  unary(op: string, x: Value): Value {
    return this.emit(op, [x], {});
  }

  private toRank(x: Value, rank: number): Value {
    const { shape } = x.type;
    // A scalar constant has no axes that a layout could move.
    if (x.data && shape.length === 0) return x;
    return this.reshape(x, [...new Array<number>(rank - shape.length).fill(1), ...shape]);
  }
}
