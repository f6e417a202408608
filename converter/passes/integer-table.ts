import { TinymlError } from '../../common/tinyml-error.ts';
import type { Graph, Node, TensorType } from '../ir/types.ts';
import { callOf } from '../ops/call-of.ts';
import type { IntegerKernel, OpCall } from '../ops/define-op.ts';
import { opOf } from '../ops/index.ts';

/** The operator's reference; undefined where the types have none, which is for the generator to refuse. */
export function referenceOf(node: Node, call: OpCall<Node['attrs']>): IntegerKernel | undefined {
  try {
    return opOf(node.op).integer!(call);
  } catch (error) {
    if (error instanceof TinymlError) return undefined;
    throw error;
  }
}

/** Results of an int8 operator that looks at one value at a time, in the order of the stored values from -128. */
export function integerTable(graph: Graph, node: Node): Int8Array | undefined {
  const call = callOf(graph, node);
  const row = (type: TensorType) => ({ ...type, shape: [1, 256] });
  const reference = referenceOf(node, {
    ...call,
    inputs: call.inputs.map(row),
    outputs: call.outputs.map(row),
  });
  const results = new Int8Array(256);
  reference?.([Int8Array.from(results, (_, i) => i - 128)], [results]);
  return reference && results;
}
