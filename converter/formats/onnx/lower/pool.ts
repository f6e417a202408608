import type { Value } from '../../../ir/types.ts';
import { attributeMalformed, notConvertible } from '../errors.ts';
import type { NodeBuilder } from './builder.ts';
import { type Lowering, type LowerNode, onlyInputs, onlyOutputs, operand, rankOf } from './lowering.ts';
import { channelsFirst, channelsLast, kernelShape, type Window, windowOf } from './spatial.ts';

function poolAttributes({ kernel, strides, pads }: Window) {
  return { filter: kernel, strides, pads, activation: 'none' };
}

function poolWindow(node: LowerNode, x: Value): Window {
  const kernel = kernelShape(node, rankOf(x) - 2, undefined);
  const window = windowOf(node, x.type.shape, kernel, node.attrs.flag('ceil_mode', false));
  if (window.dilations.some((step) => step !== 1)) throw notConvertible('its windows are dilated');
  // A window that lies in the padding alone has neither maximum nor mean.
  if (window.pads.some((pad, i) => pad >= window.kernel[i % 2]!)) {
    throw attributeMalformed('pads', 'are as large as the window');
  }
  return window;
}

export const maxPool: Lowering = {
  op: 'MaxPool',
  notes: 'one or two spatial axes, no dilation, no indices',
  lower(node, build) {
    onlyInputs(node, 1);
    onlyOutputs(node, 1);
    // storage_order only concerns the indices.
    node.attrs.ignore('storage_order');
    const x = operand(node, 0);
    const input = channelsLast(build, x);
    const pooled = build.emit('maxPool2d', [input], poolAttributes(poolWindow(node, x)));
    return [channelsFirst(build, pooled, rankOf(x))];
  },
};

/** With count_include_pad the declared padding is data, zeros; what ceil_mode adds beyond it never counts. */
function averageCountingPads(
  build: NodeBuilder,
  x: Value,
  window: Window,
  declared: readonly number[],
): Value {
  const [top, left, bottom, right] = declared as [number, number, number, number];
  const pads = [0, 0, top, bottom, left, right, 0, 0];
  const padded = build.emit('pad', [x], { pads, value: 0 }, ':pad');
  const rest = window.pads.map((pad, i) => Math.max(0, pad - declared[i]!));
  return build.emit('averagePool2d', [padded], { ...poolAttributes(window), pads: rest });
}

/** The padding of the file, without what ceil_mode adds. */
function declaredPads(node: LowerNode, window: Window): readonly number[] {
  const pads = node.attrs.ints('pads');
  if (!pads || node.attrs.string('auto_pad', 'NOTSET') !== 'NOTSET') return window.pads;
  return pads.length === 2 ? [0, pads[0]!, 0, pads[1]!] : pads;
}

export const averagePool: Lowering = {
  op: 'AveragePool',
  notes: 'one or two spatial axes, no dilation',
  lower(node, build) {
    onlyInputs(node, 1);
    const x = operand(node, 0);
    const input = channelsLast(build, x);
    const window = poolWindow(node, x);
    const counting = node.attrs.flag('count_include_pad', false);
    const declared = declaredPads(node, window);
    const pooled =
      counting && declared.some((pad) => pad > 0)
        ? averageCountingPads(build, input, window, declared)
        : build.emit('averagePool2d', [input], poolAttributes(window));
    return [channelsFirst(build, pooled, rankOf(x))];
  },
};
