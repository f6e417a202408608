import { Names } from '../../ir/names.ts';
import { elementCount, transposeData } from '../../ir/tensor.ts';
import type { Attributes, Node, Shape, TensorData, Value } from '../../ir/types.ts';
import { opOf } from '../../ops/index.ts';
import { cannotConvert, tooLargeTfjs, weightShape } from './errors.ts';
import { mostDerivedBytes, mostElements, mostMadeNodes } from './limits.ts';

/** The graph in the making. */
export class GraphBuilder {
  readonly nodes: Node[] = [];
  readonly values = new Map<string, Value>();
  private readonly names = new Names();
  private readonly registered = new Map<Value, Value>();
  private derivedBytes = 0;

  input(name: string, shape: Shape): Value {
    const value: Value = { name: this.names.fresh(name), type: { dtype: 'float32', shape } };
    this.values.set(value.name, value);
    return value;
  }

  add(op: string, inputs: readonly Value[], attrs: Attributes, origin: string, name: string): Value {
    if (this.nodes.length >= mostMadeNodes) throw tooLargeTfjs('operators after conversion', mostMadeNodes);
    const operands = inputs.map((input) => (input.data ? this.register(input, origin) : input));
    const [result] = opOf(op).infer(
      operands.map(({ type }) => type),
      attrs,
    );
    const { shape } = result!;
    const whole = shape.every((size) => Number.isSafeInteger(size) && size > 0);
    if (!whole || elementCount(shape) > mostElements)
      throw cannotConvert(origin, op, `its result is [${shape}]`);
    const value: Value = { name: this.names.fresh(name), type: result! };
    this.values.set(value.name, value);
    this.nodes.push({ op, inputs: operands.map((one) => one.name), outputs: [value.name], attrs, origin });
    return value;
  }

  /** Counts what is made from weights, so that a file cannot multiply them without end. */
  derived(elements: number): void {
    this.derivedBytes += 4 * elements;
    if (this.derivedBytes > mostDerivedBytes)
      throw tooLargeTfjs('bytes of derived weights', mostDerivedBytes);
  }

  private register(constant: Value, origin: string): Value {
    const earlier = this.registered.get(constant);
    if (earlier) return earlier;
    const { data } = constant;
    if (!(data instanceof Float32Array)) throw weightShape(origin, constant.name, 'are not real numbers');
    if (!data.every(Number.isFinite)) throw weightShape(origin, constant.name, 'hold NaN or infinity');
    const value = { ...constant, name: this.names.fresh(constant.name || 'constant') };
    this.values.set(value.name, value);
    this.registered.set(constant, value);
    return value;
  }
}

export type Padding = 'same' | 'valid';

/** Makes the operators that one layer becomes. */
export class LayerBuilder {
  readonly origin: string;
  private readonly graph: GraphBuilder;

  constructor(graph: GraphBuilder, origin: string) {
    this.graph = graph;
    this.origin = origin;
  }

  emit(op: string, inputs: readonly Value[], attrs: Attributes, suffix = ''): Value {
    return this.graph.add(op, inputs, attrs, this.origin, `${this.origin.slice(0, 200)}${suffix}`);
  }

  /** A constant with content computed here. */
  constant(name: string, shape: Shape, data: TensorData): Value {
    this.graph.derived(data.length);
    return { name, type: { dtype: data instanceof Int32Array ? 'int32' : 'float32', shape }, data };
  }

  scalar(value: number): Value {
    return this.constant(`${this.origin}:${value}`, [], Float32Array.of(value));
  }

  reshape(x: Value, shape: Shape): Value {
    const same = x.type.shape.length === shape.length && x.type.shape.every((size, i) => size === shape[i]);
    if (same) return x;
    if (x.data) return { ...x, type: { ...x.type, shape } };
    return this.emit('reshape', [x], { shape }, ':reshape');
  }

  transpose(x: Value, perm: readonly number[]): Value {
    if (perm.every((axis, position) => axis === position)) return x;
    if (!x.data) return this.emit('transpose', [x], { perm }, ':transpose');
    const shape = perm.map((axis) => x.type.shape[axis]!);
    return this.constant(x.name, shape, transposeData(x.data, x.type.shape, perm));
  }

  /** Element by element, shapes aligned at their last axes. */
  binary(op: string, a: Value, b: Value): Value {
    const rank = Math.max(a.type.shape.length, b.type.shape.length);
    const widened = [a, b].map((x) => {
      const { shape } = x.type;
      if (x.data && shape.length === 0) return x;
      return this.reshape(x, [...new Array<number>(rank - shape.length).fill(1), ...shape]);
    });
    return this.emit(op, widened, { activation: 'none' });
  }

  unary(op: string, x: Value): Value {
    return this.emit(op, [x], {});
  }

  refuse(kind: string, what: string) {
    return cannotConvert(this.origin, kind, what);
  }
}
