import type { Graph } from '../converter/ir/types.ts';

/** The same function in float, with one channel of a convolution scaled up and back in the next layer. */
export function breakChannel(graph: Graph, layer: string, channel: number, factor: number): Graph;
