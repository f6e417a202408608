import { sameShape } from '../../ir/tensor.ts';
import type { Shape, Value } from '../../ir/types.ts';
import { samePads } from '../window.ts';
import type { TfliteOperator, TfliteRead, TfliteWrite } from './form.ts';
import { padOperator } from './pad.ts';

/** `Padding` of the format. */
const same = 0;
const valid = 1;

/** Strides, dilations and windows beyond this are damage; TFLM keeps them in 16 bits. */
const largestStep = 65535;

/** Two options, height before width, that must be positive and small. */
export function readSteps(call: TfliteRead, height: string, width: string): [number, number] {
  const read = (name: string) => {
    const value = call.number(name);
    if (value < 1 || value > largestStep) throw call.refuse(`${name} is ${value}`);
    return value;
  };
  return [read(height), read(width)];
}

/** SAME or VALID as explicit pads: top, left, bottom, right. */
export function readPads(
  call: TfliteRead,
  input: Shape,
  kernel: readonly number[],
  strides: readonly number[],
  dilations: readonly number[] = [1, 1],
): readonly number[] {
  const padding = call.number('padding');
  if (padding === valid) return [0, 0, 0, 0];
  if (padding !== same) throw call.refuse(`padding is ${padding}, neither SAME nor VALID`);
  return samePads(input, kernel, strides, dilations);
}

/** The shape must have four axes before height and width are read from it. */
export function readImage(call: TfliteRead): Value {
  const x = call.input(0);
  if (x.type.shape.length !== 4) throw call.refuse(`the input has shape [${x.type.shape}], not [N,H,W,C]`);
  return x;
}

/** `Padding` that gives these explicit pads, or undefined where neither does. */
export function paddingOf(
  input: Shape,
  kernel: readonly number[],
  attrs: { readonly strides: readonly number[]; readonly pads: readonly number[] },
  dilations: readonly number[] = [1, 1],
): number | undefined {
  if (attrs.pads.every((pad) => pad === 0)) return valid;
  return sameShape(samePads(input, kernel, attrs.strides, dilations), attrs.pads) ? same : undefined;
}

export interface PaddedInput {
  readonly before: readonly TfliteOperator[];
  readonly input: Value;
  readonly padding: number;
}

/** The input of a window operator, with pads that are neither SAME nor VALID made by a PAD before it. */
export function padInput(
  call: TfliteWrite<{ readonly strides: readonly number[]; readonly pads: readonly number[] }>,
  kernel: readonly number[],
  dilations: readonly number[],
  fill: number,
): PaddedInput {
  const x = call.inputs[0]!;
  const padding = paddingOf(x.type.shape, kernel, call.attrs, dilations);
  if (padding !== undefined) return { before: [], input: x, padding };
  const [top, left, bottom, right] = call.attrs.pads as [number, number, number, number];
  const [n, height, width, channels] = x.type.shape as [number, number, number, number];
  const shape = [n, height + top + bottom, width + left + right, channels];
  const input = call.between('padded', { ...x.type, shape });
  const pads = [0, 0, top, bottom, left, right, 0, 0];
  return { before: [padOperator(call, x, input, pads, fill, 'padded/')], input, padding: valid };
}
