import { tensorOf } from './graph.ts';
import type { AttributeValue, Graph, TensorType } from './types.ts';

function typeText(type: TensorType): string {
  const shape = `${type.dtype}[${type.shape.join(',')}]`;
  if (!type.quant) return shape;
  const { scale, zeroPoint, axis } = type.quant;
  if (axis !== undefined) return `${shape} q(${scale.length} on axis ${axis})`;
  return `${shape} q(${scale[0]},${zeroPoint[0]})`;
}

function attributeText([name, value]: readonly [string, AttributeValue]): string {
  return `${name}=${Array.isArray(value) ? `[${value.join(',')}]` : String(value)}`;
}

/**
 * The graph as stable text, one line a node, for goldens and `--dump-after`. Constants show type only.
 */
export function print(graph: Graph): string {
  const named = (name: string) => `${JSON.stringify(name)}:${typeText(tensorOf(graph, name).type)}`;
  const port = (kind: string) => (p: Graph['inputs'][number]) =>
    `${kind} ${JSON.stringify(p.name)} [${p.shape.join(',')}]${p.perm ? ` perm [${p.perm.join(',')}]` : ''} = ${named(p.value)}`;
  const lines = graph.nodes.map((node) => {
    const attrs = Object.entries(node.attrs).sort(([a], [b]) => (a < b ? -1 : 1));
    return `${node.outputs.map(named).join(', ')} = ${node.op}(${node.inputs.map(named).join(', ')}) {${attrs.map(attributeText).join(' ')}} # ${JSON.stringify(node.origin)}`;
  });
  return [
    `graph ${JSON.stringify(graph.name)}`,
    ...graph.inputs.map(port('input')),
    ...lines,
    ...graph.outputs.map(port('output')),
    '',
  ].join('\n');
}
