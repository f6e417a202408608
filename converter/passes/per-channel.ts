import { tensorOf } from '../ir/graph.ts';
import type { Graph, Node } from '../ir/types.ts';

/** Operators on int8 that are one table of 256 results. */
export const lookups: ReadonlySet<string> = new Set([
  'abs',
  'elu',
  'exp',
  'hardSwish',
  'leakyRelu',
  'logistic',
  'quantize',
  'relu',
  'relu6',
  'reluN1To1',
  'tanh',
]);

/** A mean over height and width; with kept axes TensorFlow Lite rounds the last few channels differently. */
function isImageMean(graph: Graph, node: Node): boolean {
  const axes = node.attrs['axes'] as readonly number[] | undefined;
  const { shape } = tensorOf(graph, node.inputs[0]!).type;
  const overImage = axes?.length === 2 && axes[0] === 1 && axes[1] === 2 && shape.length === 4;
  return node.op === 'mean' && overImage && node.attrs['keepDims'] === false;
}

/**
 * Operators of one int8 input where each channel (last axis) of the result is made from the same channel of the
 * input, by the same rule for all channels, wherever the channel stands.
 */
export function worksPerChannel(graph: Graph, node: Node): boolean {
  const [from, to] = [tensorOf(graph, node.inputs[0]!).type, tensorOf(graph, node.outputs[0]!).type];
  if (from.dtype !== 'int8' || to.dtype !== 'int8' || from.shape.length === 0) return false;
  if (node.op === 'averagePool2d' || node.op === 'maxPool2d') return true;
  if (node.op === 'reshape') return from.shape.at(-1) === to.shape.at(-1);
  return lookups.has(node.op) || isImageMean(graph, node);
}
