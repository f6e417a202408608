import { pruneUnused, tensorOf } from '../ir/graph.ts';
import { Names } from '../ir/names.ts';
import { elementCount } from '../ir/tensor.ts';
import type { Graph, Node, Quantization, TensorData, TensorType, Value } from '../ir/types.ts';
import { type LinearOperands, linearOperands } from './linear-operands.ts';
import { channelsGone, type Removable } from './removable-channels.ts';

function filterQuantization(quant: Quantization, axis: number, gone: ReadonlySet<number>): Quantization {
  if (quant.axis !== axis) return quant;
  const kept = <T>(list: readonly T[]) => list.filter((_, i) => !gone.has(i));
  return { scale: kept(quant.scale), zeroPoint: kept(quant.zeroPoint), axis };
}

function withoutChannels(type: TensorType, axis: number, gone: ReadonlySet<number>): TensorType {
  const shape = type.shape.map((size, i) => (i === axis ? size - gone.size : size));
  return { ...type, shape, ...(type.quant ? { quant: filterQuantization(type.quant, axis, gone) } : {}) };
}

/** Elements of a constant along `axis` for which `keep` holds. */
function filterAxis(value: Value, axis: number, keep: (index: number) => boolean): TensorData {
  const size = value.type.shape[axis]!;
  const inner = elementCount(value.type.shape.slice(axis + 1));
  return (value.data as Int8Array).filter((_, i) => keep(Math.floor(i / inner) % size));
}

function filtered(value: Value, axis: number, gone: ReadonlySet<number>): Value {
  const data = filterAxis(value, axis, (index) => !gone.has(index));
  return { ...value, type: withoutChannels(value.type, axis, gone), data };
}

/** Weights and bias, of the shapes they had, that no longer need the channels `gone` of the input. */
export type WithoutInputs = (
  node: Node,
  operands: LinearOperands,
  gone: ReadonlySet<number>,
) => Pick<LinearOperands, 'weights' | 'bias'>;

function slimLinear(
  node: Node,
  operands: LinearOperands,
  removable: Removable,
  withoutInputs: WithoutInputs,
): Value[] {
  const [before, after] = [...node.inputs.slice(0, 1), ...node.outputs].map((name) =>
    channelsGone(removable, name),
  ) as [ReadonlySet<number>, ReadonlySet<number>];
  if (node.op === 'depthwiseConv2d')
    return [filtered(operands.weights, 3, after), filtered(operands.bias, 0, after)];
  const { weights, bias } = withoutInputs(node, operands, before);
  const slim = filtered(weights, weights.type.shape.length - 1, before);
  return [filtered(slim, 0, after), filtered(bias, 0, after)];
}

function slimReshape(node: Node, gone: ReadonlySet<number>): Node {
  if (node.op !== 'reshape') return node;
  const shape = node.attrs['shape'] as readonly number[];
  return {
    ...node,
    attrs: { shape: shape.map((size, i) => (i === shape.length - 1 ? size - gone.size : size)) },
  };
}

/** The graph without the channels in `removable`; `withoutInputs` says what becomes of the weights that read them. */
export function slimChannels(graph: Graph, removable: Removable, withoutInputs: WithoutInputs): Graph {
  if ([...removable.values()].every((gone) => gone.size === 0)) return graph;
  const values = new Map(graph.values);
  for (const [name, gone] of removable) {
    const value = tensorOf(graph, name);
    values.set(name, { ...value, type: withoutChannels(value.type, value.type.shape.length - 1, gone) });
  }
  const names = new Names(values.keys());
  const nodes = graph.nodes.map((node) => {
    const gone = channelsGone(removable, node.outputs[0]!);
    if (channelsGone(removable, node.inputs[0]!).size + gone.size === 0) return node;
    const operands = linearOperands(graph, node);
    if (!operands) return slimReshape(node, gone);
    const slim = slimLinear(node, operands, removable, withoutInputs).map((value) => ({
      ...value,
      name: names.fresh(`${value.name}/live`),
    }));
    for (const value of slim) values.set(value.name, value);
    return { ...node, inputs: [node.inputs[0]!, ...slim.map((value) => value.name)] };
  });
  return pruneUnused({ ...graph, nodes, values });
}
