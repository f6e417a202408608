import { type Rule, rewrite } from '../ir/edit.ts';
import { tensorOf } from '../ir/graph.ts';
import type { Graph, Node } from '../ir/types.ts';
import type { Activation } from '../ops/define-op.ts';
import { activationRange, scalarQuantization } from '../ops/integer/quantized.ts';
import { integerTable } from './integer-table.ts';
import { isInt8, sameQuantization } from './same-quantization.ts';

const producers: ReadonlySet<string> = new Set([
  'add',
  'averagePool2d',
  'conv2d',
  'depthwiseConv2d',
  'fullyConnected',
  'maxPool2d',
  'mul',
  'sub',
]);

/** Whether a rectifier of stored values is what the same activation leaves when it is fused into a producer. */
function onlyClamps(graph: Graph, node: Node): boolean {
  const { type } = tensorOf(graph, node.outputs[0]!);
  const { low, high } = activationRange(node.op as Activation, scalarQuantization(node.op, type));
  const table = integerTable(graph, node);
  return table?.every((stored, i) => stored === Math.min(Math.max(i - 128, low), high)) ?? false;
}

const fuseClamp = (graph: Graph): Rule => ({
  name: 'fuse-clamps',
  ops: ['relu', 'relu6', 'reluN1To1'],
  match(node, view) {
    const [from, to] = [node.inputs[0]!, node.outputs[0]!];
    const producer = view.producer(from);
    if (!producer || !producers.has(producer.op) || producer.attrs['activation'] !== 'none') return undefined;
    if (view.consumers(from).length !== 1 || view.isOutput(from)) return undefined;
    const [input, output] = [view.value(from), view.value(to)];
    if (!isInt8(input) || !isInt8(output) || !sameQuantization(input, output)) return undefined;
    if (!onlyClamps(graph, node)) return undefined;
    return {
      remove: [producer, node],
      add: [{ ...producer, outputs: node.outputs, attrs: { ...producer.attrs, activation: node.op } }],
    };
  },
});

/**
 * In int8 graphs, rectifiers become the fused activation of the operator before them where they clamp its results
 * and do nothing else. One that changes the scale too stays: it rounds what has been rounded.
 */
export function fuseClamps(graph: Graph): Graph {
  return rewrite(graph, [fuseClamp(graph)]);
}
