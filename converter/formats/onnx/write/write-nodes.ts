import { type GraphView, viewOf } from '../../../ir/graph.ts';
import {
  elementCount,
  invertPermutation,
  isIdentityPermutation,
  sameShape,
  transposeData,
} from '../../../ir/tensor.ts';
import type { Graph, Node, Port, Quantization, TensorData, TensorType, Value } from '../../../ir/types.ts';
import { opOf } from '../../../ops/index.ts';
import { notWritable } from '../errors.ts';
import { identityAxes, type OnnxGraphBuilder, type Stored } from './graph-builder.ts';
import { clip, filterAxes, imageOperators, operators } from './operators.ts';

/** ONNX's order of the axes of [N,H,W,C]. */
const channelsFirst = [0, 3, 1, 2];

const leadingOnes = (type: TensorType, rank: number) => [
  ...new Array<number>(rank - type.shape.length).fill(1),
  ...type.shape,
];

/** Writes nodes one after another; values keep the axis order in which their producer leaves them. */
export class NodeWriter {
  private readonly stored = new Map<string, Stored>();
  private readonly view: GraphView;
  private readonly build: OnnxGraphBuilder;

  constructor(graph: Graph, build: OnnxGraphBuilder) {
    this.view = viewOf(graph);
    this.build = build;
  }

  /** An input as the user knows it; the value behind it is a view of the same elements where that is possible. */
  addInput(port: Port): void {
    const perm = port.perm ?? identityAxes(port.shape.length);
    const axes = invertPermutation(perm);
    const turned = { name: port.name, shape: port.shape, axes };
    const seen = perm.map((axis) => port.shape[axis]!);
    const { shape } = this.view.value(port.value).type;
    this.stored.set(port.value, this.build.reshaped(turned, seen, shape, port.name));
  }

  /** The name of the tensor that holds an output in the user's own axis order. */
  output(port: Port): string {
    const perm = port.perm ?? identityAxes(port.shape.length);
    const seen = perm.map((axis) => port.shape[axis]!);
    const { shape } = this.view.value(port.value).type;
    const held = this.build.reshaped(this.find(port.value), shape, seen, port.name);
    const user = this.build.transposed(held, invertPermutation(perm));
    return this.build.reorder(user, identityAxes(perm.length), port.name).name;
  }

  write(node: Node): void {
    this.stored.set(node.outputs[0]!, this.written(node));
  }

  private find(name: string): Stored {
    const stored = this.stored.get(name);
    if (!stored) throw new Error(`value ${name} is read before it is made`);
    return stored;
  }

  private written(node: Node): Stored {
    const types = node.inputs.map((name) => this.view.value(name).type);
    if (node.op === 'transpose')
      return this.build.transposed(this.find(node.inputs[0]!), node.attrs['perm'] as readonly number[]);
    if (node.op === 'reshape') return this.reshaped(node, types[0]!);
    if (imageOperators.has(node.op)) return this.image(node, types);
    if (!operators.has(node.op)) throw notWritable(node.origin, node.op);
    return node.op === 'fullyConnected' ? this.dense(node, types) : this.aligned(node, types);
  }

  /** Columns may come in another order where only weights read them, whose columns follow. */
  private reshaped(node: Node, from: TensorType): Stored {
    const { shape } = this.view.value(node.outputs[0]!).type;
    const x = this.find(node.inputs[0]!);
    const readers = this.view.consumers(node.outputs[0]!);
    const dense = readers.every((reader) => reader.op === 'fullyConnected');
    const isFlat = shape.length === 2 && shape[0] === 1;
    return isFlat && dense && !this.view.isOutput(node.outputs[0]!)
      ? this.build.flattened(x, from.shape, node.origin)
      : this.build.reshaped(x, from.shape, shape, node.origin);
  }

  private image(node: Node, types: readonly TensorType[]): Stored {
    const input = this.build.reorder(this.find(node.inputs[0]!), channelsFirst, node.origin);
    const filter = filterAxes.get(node.op);
    const constants = node.inputs
      .slice(1)
      .map((name, i) => this.constant(name, i === 0 ? filter : undefined));
    const names = [input.name, ...constants];
    const name = imageOperators.get(node.op)!({
      node,
      attrs: node.attrs,
      inputs: names,
      types,
      build: this.build,
    });
    const { shape } = this.view.value(node.outputs[0]!).type;
    return this.activated(node, {
      name,
      shape: channelsFirst.map((axis) => shape[axis]!),
      axes: channelsFirst,
    });
  }

  private dense(node: Node, types: readonly TensorType[]): Stored {
    const x = this.find(node.inputs[0]!);
    const plain = this.build.reorder(x, identityAxes(x.axes.length), node.origin);
    const weights = this.view.value(node.inputs[1]!);
    const ordered = x.order ? { ...weights, data: withColumns(weights, x.order) } : weights;
    const inputs = [plain.name, this.constantOf(ordered), this.constant(node.inputs[2]!)];
    const name = operators.get(node.op)!({ node, attrs: node.attrs, inputs, types, build: this.build });
    const { shape } = this.view.value(node.outputs[0]!).type;
    return this.activated(node, { name, shape, axes: identityAxes(shape.length) });
  }

  /** Any other operator, in the layout of its widest computed input where its permutation rule allows that. */
  private aligned(node: Node, types: readonly TensorType[]): Stored {
    const rank = Math.max(...types.map((type) => type.shape.length));
    const leading = node.inputs.find((name, i) => this.stored.has(name) && types[i]!.shape.length === rank);
    const wished = leading === undefined ? identityAxes(rank) : this.find(leading).axes;
    const moved = this.permuted(node, types, wished);
    const axes = moved ? wished : identityAxes(rank);
    const { attrs, perm } = moved ?? this.permuted(node, types, axes)!;
    const inputs = node.inputs.map((name, i) => this.broadcast(name, types[i]!, axes, node.origin));
    const name = operators.get(node.op)!({ node, attrs, inputs, types, build: this.build });
    const { shape } = this.view.value(node.outputs[0]!).type;
    const outAxes = invertPermutation(perm);
    return this.activated(node, { name, shape: outAxes.map((axis) => shape[axis]!), axes: outAxes });
  }

  private permuted(node: Node, types: readonly TensorType[], axes: readonly number[]) {
    const perm = invertPermutation(axes);
    const { shape } = this.view.value(node.outputs[0]!).type;
    if (isIdentityPermutation(perm)) return { attrs: node.attrs, perm: identityAxes(shape.length) };
    return opOf(node.op).permute?.(node.attrs, perm, types);
  }

  /** An input with as many axes as the operator's result, stored in the order `axes`. */
  private broadcast(name: string, type: TensorType, axes: readonly number[], origin: string): string {
    const value = this.view.value(name);
    const full = leadingOnes(type, axes.length);
    if (value.data) {
      const scalar = elementCount(full) === 1;
      return this.constantOf({ ...value, type: { ...type, shape: scalar ? [] : full } }, scalar ? [] : axes);
    }
    const x = this.find(name);
    const wide = sameShape(full, type.shape) ? x : this.build.reshaped(x, type.shape, full, origin);
    return this.build.reorder(wide, axes, origin).name;
  }

  private constant(name: string, axes?: readonly number[]): string {
    return this.constantOf(this.view.value(name), axes);
  }

  private constantOf(value: Value, axes: readonly number[] = identityAxes(value.type.shape.length)): string {
    const { dtype, shape } = value.type;
    if (!value.data) throw notWritable(value.name, 'computed weights');
    const data = isIdentityPermutation(axes) ? value.data : transposeData(value.data, shape, axes);
    const moved = axes.map((axis) => shape[axis]!);
    const name = this.build.constant(value.name, dtype, moved, data);
    return value.type.quant ? this.dequantized(name, value.type.quant, axes) : name;
  }

  /** Stored weights as real numbers; the scales of channels follow their axis. */
  private dequantized(
    stored: string,
    { scale, zeroPoint, axis }: Quantization,
    axes: readonly number[],
  ): string {
    const shape = axis === undefined ? [] : [scale.length];
    const parameters = [
      this.build.constant(`${stored}/scale`, 'float32', shape, Float32Array.from(scale)),
      this.build.constant(`${stored}/zero_point`, 'int8', shape, Int8Array.from(zeroPoint)),
    ];
    const attributes = axis === undefined ? {} : { axis: axes.indexOf(axis) };
    return this.build.node('DequantizeLinear', `${stored}/dequantize`, [stored, ...parameters], attributes);
  }

  private activated(node: Node, result: Stored): Stored {
    const origin = `${node.origin}/${String(node.attrs['activation'])}`;
    switch (node.attrs['activation']) {
      case 'relu':
        return { ...result, name: this.build.node('Relu', origin, [result.name]) };
      case 'relu6':
        return { ...result, name: clip(this.build, origin, result.name, 0, 6) };
      case 'reluN1To1':
        return { ...result, name: clip(this.build, origin, result.name, -1, 1) };
      default:
        return result;
    }
  }
}

/** Weights [O,K] with column j taken from column order[j]. */
function withColumns(weights: Value, order: Int32Array): TensorData {
  const depth = order.length;
  const source = weights.data as Float32Array | Int8Array;
  return source.map((_, i) => source[i - (i % depth) + order[i % depth]!]!);
}
