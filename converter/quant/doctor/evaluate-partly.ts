import { evaluateFloat, type FloatBatch } from '../../evaluate/float.ts';
import { tensorOf } from '../../ir/graph.ts';
import type { Graph, Node, TensorType, Value } from '../../ir/types.ts';
import type { FloatTensor, Tf } from '../../ops/define-op.ts';
import { linearLayer, realBias, realWeights } from '../linear-layer.ts';

const limits = { int8: [-128, 127], int16: [-32_768, 32_767] } as const;

/** A tensor as it comes back from being stored in `type`. */
function throughStorage(tf: Tf, tensor: FloatTensor, { dtype, quant }: TensorType): FloatTensor {
  if (!quant || (dtype !== 'int8' && dtype !== 'int16')) return tensor;
  const [scale, zeroPoint] = [quant.scale[0]!, quant.zeroPoint[0]!];
  const [low, high] = limits[dtype];
  return tf.tidy(() => {
    const steps = tf.floor(tf.add(tf.div(tensor, scale), 0.5));
    return tf.mul(tf.clipByValue(steps, low - zeroPoint, high - zeroPoint), scale);
  });
}

/** A node that reads the stored weights and bias of its integer form, as real numbers. */
function withStoredWeights(node: Node, integer: Graph, maker: Node, values: Map<string, Value>): Node {
  const layer = linearLayer(integer, maker);
  if (!layer) return node;
  const put = (original: string, data: Float32Array): string => {
    const name = `${node.outputs[0]}/stored/${original}`;
    values.set(name, { name, type: values.get(original)!.type, data });
    return name;
  };
  const [input, weights, bias] = node.inputs as [string, string, string];
  return { ...node, inputs: [input, put(weights, realWeights(layer)), put(bias, realBias(layer))] };
}

/**
 * Float results of a graph in which only some layers, named by the values they make, are as in its integer form:
 * stored weights and bias, and a result rounded and clipped to its stored type. Approximates the integer arithmetic.
 */
export function evaluatePartly(
  float: Graph,
  integer: Graph,
  quantized: ReadonlySet<string>,
  inputs: FloatBatch,
  count: number,
): Promise<Float32Array[]> {
  const makers = new Map(integer.nodes.map((node) => [node.outputs[0]!, node]));
  const values = new Map(float.values);
  const nodes = float.nodes.map((node) => {
    const maker = makers.get(node.outputs[0]!);
    return maker && quantized.has(node.outputs[0]!) ? withStoredWeights(node, integer, maker, values) : node;
  });
  return evaluateFloat({ ...float, nodes, values }, inputs, count, undefined, (tf, name, tensor) =>
    quantized.has(name) ? throughStorage(tf, tensor, tensorOf(integer, name).type) : tensor,
  );
}
