import { elementCount, invertPermutation } from '../ir/tensor.ts';
import { defineOp, type Permuted } from './define-op.ts';
import { shapesDoNotFit } from './errors.ts';
import { reshapeMovement } from './integer/movement.ts';
import { int32Constant, type TfliteNode, type TfliteRead } from './tflite/form.ts';

export type ReshapeAttributes = { readonly shape: readonly number[] };

/** Runs of source and target axes that hold the same elements, as short as they can be. */
function axisGroups(
  source: readonly number[],
  target: readonly number[],
): [number[], number[]][] | undefined {
  const groups: [number[], number[]][] = [];
  let j = 0;
  for (let i = 0; i < source.length; ) {
    const from = [i];
    const to: number[] = [];
    let left = source[i++]!;
    let right = 1;
    while (left !== right) {
      if (left > right && j < target.length) {
        to.push(j);
        right *= target[j++]!;
      } else if (left < right && i < source.length) {
        from.push(i);
        left *= source[i++]!;
      } else {
        return undefined;
      }
    }
    if (to.length === 0 && target[j] === left) to.push(j++);
    groups.push([from, to]);
  }
  for (; j < target.length; j++) groups.at(-1)?.[1].push(j);
  return groups;
}

/**
 * A reshape that splits or joins axes which the permutation keeps together commutes with it: the groups of axes
 * are moved as blocks.
 */
function permuteReshape(
  attrs: ReshapeAttributes,
  perm: readonly number[],
  seen: readonly number[],
): Permuted<ReshapeAttributes> | undefined {
  const groups = axisGroups(seen, attrs.shape);
  if (!groups) return undefined;
  const blocks = groups.map(([from, to]) => ({ from: from.map((axis) => perm[axis]!), to }));
  const contiguous = blocks.every(({ from }) =>
    from.every((axis, i) => i === 0 || axis === from[i - 1]! + 1),
  );
  if (!contiguous) return undefined;
  const anchored = blocks.map((block) => ({ ...block, first: block.from[0] ?? Number.POSITIVE_INFINITY }));
  const ordered = [...anchored].sort((a, b) => a.first - b.first);
  const axes = ordered.flatMap((block) => block.to);
  return { attrs: { shape: axes.map((axis) => attrs.shape[axis]!) }, perm: invertPermutation(axes) };
}

/** The shape that RESHAPE asks for, its one unknown axis worked out. */
function requestedShape(call: TfliteRead, elements: number): readonly number[] {
  const shape = call.inputs[1] ? call.constant(1) : call.list('newShape');
  const known = shape.reduce((product, size) => (size === -1 ? product : product * size), 1);
  return shape.map((size) => (size === -1 ? elements / known : size));
}

/** Operators that only drop or insert axes of size 1 say by their result's shape all there is to say. */
function readAxisChange(call: TfliteRead): TfliteNode<ReshapeAttributes> {
  return { inputs: [call.input(0)], attrs: { shape: call.output.type.shape } };
}

export const reshape = defineOp<ReshapeAttributes>({
  name: 'reshape',
  summary: 'the same elements under another shape',
  arity: [1, 1],
  attrs: { shape: { kind: 'integers', min: 1 } },
  infer([x], { shape }) {
    if (elementCount(x!.shape) !== elementCount(shape)) {
      throw shapesDoNotFit('reshape', 'the numbers of elements differ', [x!.shape, shape]);
    }
    return [{ dtype: x!.dtype, shape }];
  },
  float: (tf, [x], { shape }) => tf.reshape(x!, [...shape]),
  permute: (attrs, perm, [x]) => permuteReshape(attrs, perm, x!.shape),
  quantize: { output: 'same' },
  ...reshapeMovement,
  tflite: {
    versions: { float32: 1, int8: 1, uint8: 1, int16: 1, int32: 1 },
    read: {
      RESHAPE(call) {
        const x = call.input(0);
        return { inputs: [x], attrs: { shape: requestedShape(call, elementCount(x.type.shape)) } };
      },
      SQUEEZE: readAxisChange,
      EXPAND_DIMS: readAxisChange,
    },
    write(call) {
      const { attrs, inputs, output, version } = call;
      const options = { newShape: attrs.shape };
      // A list without elements has no data in the file, which reads as a computed tensor: the option says it.
      const shape = attrs.shape.length === 0 ? [] : [int32Constant(call, 'shape', attrs.shape)];
      return [{ builtin: 'RESHAPE', version, options, inputs: [inputs[0]!, ...shape], output }];
    },
  },
});
