import { nearest } from '../../../../common/nearest.ts';
import { elementCount } from '../../../ir/tensor.ts';
import type { Shape, TensorType } from '../../../ir/types.ts';
import type { ValueInfoProto } from '../container/schema.ts';
import {
  inputNotTensor,
  inputShapeMismatch,
  inputShapeUnknown,
  inputTooLarge,
  inputTypeNotSupported,
  unknownDimensions,
} from '../errors.ts';
import { mostAxes, mostElements } from '../limits.ts';
import { elementTypeName, elementTypeOf } from '../tensor/element-type.ts';
import { quoted } from '../text.ts';

/** A size, or the name of one that the file leaves open ('' when it has no name). */
export type Dimension = number | string;

function dimensionsOf(input: ValueInfoProto): readonly Dimension[] | undefined {
  return input.type?.tensorType?.shape?.dim.map(({ dimValue, dimParam }) =>
    dimValue !== undefined && Number.isSafeInteger(dimValue) && dimValue > 0 ? dimValue : (dimParam ?? ''),
  );
}

/** The dimensions as a user writes them, `?` for those without a name. */
function dimensionsText(dimensions: readonly Dimension[]): string {
  return `[${dimensions.map((size) => (size === '' ? '?' : String(size).slice(0, 40))).join(',')}]`;
}

function isValidShape(shape: Shape): boolean {
  return shape.every((size) => Number.isSafeInteger(size) && size > 0);
}

/** Sizes of named dimensions that follow from the shapes the user gave. */
function bindNames(
  inputs: readonly ValueInfoProto[],
  given: ReadonlyMap<string, Shape>,
): ReadonlyMap<string, number> {
  const bound = new Map<string, number>();
  for (const input of inputs) {
    const shape = given.get(input.name ?? '');
    for (const [axis, size] of (dimensionsOf(input) ?? []).entries()) {
      if (shape && typeof size === 'string' && size !== '') bound.set(size, shape[axis]!);
    }
  }
  return bound;
}

/** The user's shape, checked against what the file fixes. */
function givenShape(name: string, dimensions: readonly Dimension[] | undefined, shape: Shape): Shape {
  const fits =
    dimensions === undefined ||
    (dimensions.length === shape.length &&
      dimensions.every((size, axis) => typeof size === 'string' || size === shape[axis]));
  if (!fits || !isValidShape(shape)) {
    throw inputShapeMismatch(name, shape, dimensions && dimensionsText(dimensions));
  }
  return shape;
}

function resolvedShape(
  name: string,
  dimensions: readonly Dimension[],
  bound: ReadonlyMap<string, number>,
  notes: string[],
): Shape {
  const sizes = dimensions.map((size) => (typeof size === 'string' ? (bound.get(size) ?? size) : size));
  const [batch] = sizes;
  if (typeof batch === 'string') {
    const named = batch === '' ? '' : ` (${quoted(batch)})`;
    notes.push(
      `input ${quoted(name)}: the file leaves the batch dimension${named} open; converted for a batch of 1`,
    );
    sizes[0] = 1;
  }
  const open = sizes.flatMap((size, axis) => (typeof size === 'string' ? [{ axis, size }] : []));
  if (open.length > 0) {
    const example = sizes
      .map((size) => (typeof size === 'string' ? size.slice(0, 40) || 'N' : size))
      .join(',');
    throw unknownDimensions(name, dimensionsText(dimensions), open, example);
  }
  return sizes as number[];
}

function inputType(input: ValueInfoProto, notes: string[]): TensorType['dtype'] {
  const name = input.name ?? '';
  if (!input.type?.tensorType) throw inputNotTensor(name);
  const { elemType } = input.type.tensorType;
  const type = elementTypeOf(elemType);
  if (!type) throw inputTypeNotSupported(name, elementTypeName(elemType));
  if (type.name !== 'float' && type.dtype === 'float32') {
    notes.push(`input ${quoted(name)} is ${type.name} in the file; converted as float32`);
  }
  return type.dtype;
}

/**
 * Static types of the model's inputs. An open first dimension is the batch and becomes 1, with a note; other open
 * dimensions throw E_ONNX_UNKNOWN_DIMENSION unless `given` (input name to shape) has them.
 */
export function inputTypes(
  inputs: readonly ValueInfoProto[],
  given: ReadonlyMap<string, Shape>,
  notes: string[],
): Map<string, TensorType> {
  const names = inputs.map((input) => input.name ?? '');
  for (const name of given.keys()) {
    if (!names.includes(name)) throw inputShapeUnknown(name, names, nearest(name, names));
  }
  const types = new Map<string, TensorType>();
  const bound = bindNames(inputs, given);
  for (const input of inputs) {
    const name = input.name ?? '';
    const dtype = inputType(input, notes);
    const dimensions = dimensionsOf(input);
    const wanted = given.get(name);
    if (!dimensions && !wanted) throw unknownDimensions(name, undefined, [], 'D0,D1,...');
    const shape = wanted
      ? givenShape(name, dimensions, wanted)
      : resolvedShape(name, dimensions ?? [], bound, notes);
    if (shape.length > mostAxes || elementCount(shape) > mostElements) throw inputTooLarge(name, shape);
    types.set(name, { dtype, shape });
  }
  return types;
}
