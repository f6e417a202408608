import { TinymlError } from '../../common/tinyml-error.ts';
import { tensorOf } from '../ir/graph.ts';
import type { Graph, Node, Value } from '../ir/types.ts';
import { inferShapes } from '../passes/infer-shapes.ts';

function batchedNode(node: Node, batch: number): Node {
  if (node.op === 'slice') return batchedSlice(node, batch);
  const shape = node.attrs['shape'];
  if (node.op !== 'reshape' || !Array.isArray(shape) || shape[0] !== 1) return node;
  return { ...node, attrs: { ...node.attrs, shape: [batch, ...shape.slice(1)] } };
}

function batchedSlice(node: Node, batch: number): Node {
  const size = node.attrs['size'] as readonly number[];
  return { ...node, attrs: { ...node.attrs, size: [batch, ...size.slice(1)] } };
}

function moveBatchAxis(node: Node): boolean {
  const perm = node.attrs['perm'];
  if (node.op === 'transpose') return Array.isArray(perm) && perm[0] !== 0;
  const axes = node.attrs['axes'];
  if (Array.isArray(axes)) return axes.includes(0);
  return node.op === 'concatenation' && node.attrs['axis'] === 0;
}

/**
 * The same float graph for `batch` samples at once, or undefined where samples do not stay apart on the first
 * axis. Every computed value must have a first axis of 1 before and of `batch` after.
 */
export function withBatch(graph: Graph, batch: number): Graph | undefined {
  const computed = [...graph.values.values()].filter((value) => !value.data);
  if (computed.some((value) => value.type.shape[0] !== 1) || graph.nodes.some(moveBatchAxis))
    return undefined;
  const values = new Map<string, Value>(graph.values);
  for (const port of graph.inputs) {
    const { type } = tensorOf(graph, port.value);
    values.set(port.value, { name: port.value, type: { ...type, shape: [batch, ...type.shape.slice(1)] } });
  }
  try {
    const batched = inferShapes({
      ...graph,
      values,
      nodes: graph.nodes.map((node) => batchedNode(node, batch)),
    });
    return computed.every(({ name }) => tensorOf(batched, name).type.shape[0] === batch)
      ? batched
      : undefined;
  } catch (error) {
    if (error instanceof TinymlError) return undefined;
    throw error;
  }
}
