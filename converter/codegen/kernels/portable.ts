import type { KernelForm, KernelTable } from './kernel-form.ts';

const form = (header: string, struct: string): KernelForm => ({ header, struct });
const inPlace = (header: string, struct: string): KernelForm => ({ header, struct, inPlace: true });

/** Plain C99, for every machine. */
export const portableKernels: KernelTable = new Map<string, KernelForm>([
  ['conv2d_s8', form('tml_conv2d.h', 'tml_conv2d_s8')],
  ['conv2d_f32', form('tml_conv2d.h', 'tml_conv2d_f32')],
  ['depthwise_conv2d_s8', form('tml_depthwise_conv2d.h', 'tml_depthwise_conv2d_s8')],
  ['depthwise_conv2d_f32', form('tml_depthwise_conv2d.h', 'tml_depthwise_conv2d_f32')],
  ['fully_connected_s8', form('tml_fully_connected.h', 'tml_fully_connected_s8')],
  ['fully_connected_f32', form('tml_fully_connected.h', 'tml_fully_connected_f32')],
  ['add_s8', inPlace('tml_binary.h', 'tml_sum_s8')],
  ['add_floored_s8', inPlace('tml_binary.h', 'tml_sum_s8')],
  ['sub_s8', inPlace('tml_binary.h', 'tml_sum_s8')],
  ['mul_s8', inPlace('tml_binary.h', 'tml_product_s8')],
  ['minimum_s8', inPlace('tml_binary.h', 'tml_extreme_s8')],
  ['maximum_s8', inPlace('tml_binary.h', 'tml_extreme_s8')],
  ['lookup_s8', inPlace('tml_lookup.h', 'tml_lookup')],
  ['lookup_f32', form('tml_lookup.h', 'tml_lookup')],
  ['quantize_s8', form('tml_quantize.h', 'tml_quantize_s8')],
  ['dequantize_s8', form('tml_quantize.h', 'tml_dequantize_s8')],
  ['average_pool2d_s8', form('tml_pool2d.h', 'tml_pool2d_s8')],
  ['max_pool2d_s8', form('tml_pool2d.h', 'tml_pool2d_s8')],
  ['average_pool2d_f32', form('tml_pool2d.h', 'tml_pool2d_f32')],
  ['max_pool2d_f32', form('tml_pool2d.h', 'tml_pool2d_f32')],
  ['mean_s8', form('tml_mean.h', 'tml_mean_s8')],
  ['mean_f32', form('tml_mean.h', 'tml_mean_f32')],
  ['softmax_s8', inPlace('tml_softmax.h', 'tml_softmax_s8')],
  ['copy_box', form('tml_copy.h', 'tml_copy_box')],
  ['fill_s8', form('tml_copy.h', 'tml_fill_s8')],
  ['fill_f32', form('tml_copy.h', 'tml_fill_f32')],
]);
