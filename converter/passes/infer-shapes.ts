import { tensorOf } from '../ir/graph.ts';
import { sameShape } from '../ir/tensor.ts';
import type { Graph, Node, TensorType, Value } from '../ir/types.ts';
import { atNode } from '../ops/at-node.ts';
import { opOf } from '../ops/index.ts';

function inferNode(node: Node, inputs: readonly TensorType[]): readonly TensorType[] {
  return atNode(node.origin, () => opOf(node.op).infer(inputs, node.attrs));
}

/** Gives every computed value the type that its operator makes; quantization is kept. */
export function inferShapes(graph: Graph): Graph {
  const values = new Map(graph.values);
  const next = { ...graph, values };
  for (const node of graph.nodes) {
    const types = inferNode(
      node,
      node.inputs.map((name) => tensorOf(next, name).type),
    );
    for (const [i, name] of node.outputs.entries()) {
      const old: Value = tensorOf(next, name);
      const type = types[i]!;
      if (old.type.dtype === type.dtype && sameShape(old.type.shape, type.shape)) continue;
      values.set(name, { ...old, type: { ...old.type, dtype: type.dtype, shape: type.shape } });
    }
  }
  return next;
}
