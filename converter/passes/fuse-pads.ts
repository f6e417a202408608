import type { Rule } from '../ir/edit.ts';

/** A border of zeros before a convolution becomes the convolution's own padding. */
export const fusePads: Rule = {
  name: 'fuse-pads',
  ops: ['conv2d', 'depthwiseConv2d'],
  match(node, view) {
    const pad = view.producer(node.inputs[0]!);
    if (pad?.op !== 'pad' || pad.attrs['value'] !== 0) return undefined;
    const [n0, n1, top, bottom, left, right, c0, c1] = pad.attrs['pads'] as number[];
    if (n0 || n1 || c0 || c1) return undefined;
    const own = node.attrs['pads'] as number[];
    const pads = [own[0]! + top!, own[1]! + left!, own[2]! + bottom!, own[3]! + right!];
    return {
      remove: [node],
      add: [{ ...node, inputs: [pad.inputs[0]!, ...node.inputs.slice(1)], attrs: { ...node.attrs, pads } }],
    };
  },
};
