import { tensorOf } from '../ir/graph.ts';
import type { Graph, Node } from '../ir/types.ts';
import type { OpCall } from './define-op.ts';

/** Everything static that a node's evaluation or code is made from. */
export function callOf(graph: Graph, node: Node): OpCall<Node['attrs']> {
  const values = node.inputs.map((name) => tensorOf(graph, name));
  return {
    attrs: node.attrs,
    inputs: values.map((value) => value.type),
    outputs: node.outputs.map((name) => tensorOf(graph, name).type),
    constants: values.map((value) => value.data),
    origin: node.origin,
  };
}
