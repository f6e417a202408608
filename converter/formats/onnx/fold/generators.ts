import type { Shape } from '../../../ir/types.ts';
import { constantMismatch } from '../errors.ts';
import type { Elements } from '../tensor/elements.ts';
import { type Folder, folded, numbers, required } from './folder.ts';
import { checkedShape } from './shapes.ts';

/** The one attribute that a Constant node has. */
export const foldConstant: Folder = ({ attrs }, budget) => {
  const tensor = attrs.tensor('value');
  if (tensor) return [folded(tensor.type.dtype, tensor.type.shape, tensor.data)];
  const float = attrs.bound('value_float');
  const floats = attrs.floats('value_floats') ?? (float === undefined ? undefined : [float]);
  const int = attrs.has('value_int') ? [attrs.int('value_int', 0)] : undefined;
  const ints = attrs.ints('value_ints') ?? int;
  const list = floats ?? ints;
  if (!list) return undefined;
  const shape = attrs.has('value_floats') || attrs.has('value_ints') ? [list.length] : [];
  const dtype = floats ? 'float32' : 'int64';
  const data = budget.allocate(dtype, shape);
  const elements: Elements = data;
  for (const [i, value] of list.entries()) elements[i] = floats ? value : BigInt(value);
  return [folded(dtype, shape, data)];
};

export const foldConstantOfShape: Folder = (node, budget) => {
  const shape: Shape = checkedShape('ConstantOfShape', numbers(required(node, 0)));
  const value = node.attrs.tensor('value');
  const dtype = value?.type.dtype ?? 'float32';
  const data = budget.allocate(dtype, shape);
  const fill = value?.data[0] ?? 0;
  (data as Float32Array).fill(fill as number);
  return [folded(dtype, shape, data)];
};

export const foldRange: Folder = (node, budget) => {
  const inputs = [required(node, 0), required(node, 1), required(node, 2)];
  const [start, limit, delta] = inputs.map((input) => numbers(input)[0]) as [number, number, number];
  const { dtype } = inputs[0]!.type;
  const count = Math.max(0, Math.ceil((limit - start) / delta));
  if (!Number.isSafeInteger(count)) throw constantMismatch('Range', 'it has no end');
  const data = budget.allocate(dtype, [count]);
  const elements: Elements = data;
  for (let i = 0; i < count; i++) {
    const value = start + i * delta;
    elements[i] = dtype === 'int64' ? BigInt(value) : value;
  }
  return [folded(dtype, [count], data)];
};
