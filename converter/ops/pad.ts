import type { PadAttributes } from './attributes.ts';
import { defineOp } from './define-op.ts';
import { shapesDoNotFit } from './errors.ts';
import { padMovement } from './integer/movement.ts';
import type { TfliteNode, TfliteRead } from './tflite/form.ts';
import { padOperator, padVersions } from './tflite/pad.ts';

/** The real number that PADV2's one stored element stands for; 0 for PAD, which has none. */
function readFill(call: TfliteRead): number {
  const fill = call.input(2);
  const values = call.constant(2);
  const { dtype, quant } = fill.type;
  if (values.length !== 1) throw call.refuse(`the fill has ${values.length} elements`);
  if (dtype !== call.input(0).type.dtype) throw call.refuse(`the fill is ${dtype}`);
  return quant ? (values[0]! - quant.zeroPoint[0]!) * quant.scale[0]! : values[0]!;
}

function readPad(call: TfliteRead, value: number): TfliteNode<PadAttributes> {
  const pads = call.constant(1);
  if (pads.some((pad) => pad < 0)) throw call.refuse('a padding is negative');
  return { inputs: [call.input(0)], attrs: { pads, value } };
}

export const pad = defineOp<PadAttributes>({
  name: 'pad',
  summary: 'a constant border',
  arity: [1, 1],
  attrs: { pads: { kind: 'integers', min: 0 }, value: { kind: 'number' } },
  infer([x], { pads }) {
    if (pads.length !== 2 * x!.shape.length) {
      throw shapesDoNotFit('pad', 'needs two paddings for each axis', [pads, x!.shape]);
    }
    const shape = x!.shape.map((size, axis) => size + pads[2 * axis]! + pads[2 * axis + 1]!);
    return [{ dtype: x!.dtype, shape }];
  },
  float(tf, [x], { pads, value }) {
    const pairs = x!.shape.map((_, axis): [number, number] => [pads[2 * axis]!, pads[2 * axis + 1]!]);
    return tf.pad(x!, pairs, value);
  },
  permute(attrs, perm) {
    const pads = new Array<number>(attrs.pads.length).fill(0);
    for (const [position, axis] of perm.entries()) {
      pads[2 * axis] = attrs.pads[2 * position]!;
      pads[2 * axis + 1] = attrs.pads[2 * position + 1]!;
    }
    return { attrs: { ...attrs, pads }, perm };
  },
  quantize: { output: 'same' },
  ...padMovement,
  tflite: {
    versions: padVersions,
    read: {
      PAD: (call) => readPad(call, 0),
      PADV2: (call) => readPad(call, readFill(call)),
    },
    write(call) {
      return [padOperator(call, call.inputs[0]!, call.output, call.attrs.pads, call.attrs.value)];
    },
  },
});
