import type { Graph } from '../../../converter/ir/types.ts';
import { GraphBuilder } from '../../support/graphs.ts';
import { quantizedInt8 } from './quantized.ts';

/** A small float network with the operators that most files have: about 2 kB as a file. */
export function smallFloat(): Graph {
  const b = new GraphBuilder();
  const x = b.input('image', [1, 6, 6, 2]);
  const window = { strides: [2, 2], pads: [0, 0, 1, 1], activation: 'relu' };
  const conv = b.node('conv2d', [x, b.constant([4, 3, 3, 2]), b.constant([4])], {
    ...window,
    dilations: [1, 1],
  });
  const pool = b.node('averagePool2d', [conv], { ...window, filter: [3, 3], pads: [0, 0, 0, 0] });
  const flat = b.node('reshape', [pool], { shape: [1, 4] });
  const dense = b.node('fullyConnected', [flat, b.constant([3, 4]), b.constant([3])], { activation: 'none' });
  return b.finish(b.node('softmax', [dense], { beta: 1 }));
}

export function smallInt8(): Promise<Graph> {
  return quantizedInt8(smallFloat());
}
