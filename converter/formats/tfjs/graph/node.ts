import type { TensorData, Value } from '../../../ir/types.ts';
import type { LayerBuilder, Padding } from '../builder.ts';
import { damagedAt } from '../errors.ts';
import { isObject, type JsonObject } from '../json.ts';

/** Attributes of a TensorFlow node as protobuf's JSON has them: text in base64, whole numbers as text or number. */
export class NodeAttributes {
  private readonly node: string;
  private readonly attributes: JsonObject;

  constructor(node: string, attributes: JsonObject) {
    this.node = node;
    this.attributes = attributes;
  }

  private field(key: string): JsonObject | undefined {
    const value = Object.hasOwn(this.attributes, key) ? this.attributes[key] : undefined;
    return isObject(value) ? value : undefined;
  }

  text(key: string, fallback: string): string {
    const value = this.field(key)?.['s'];
    return value === undefined ? fallback : this.decoded(key, value);
  }

  texts(key: string): string[] {
    const list = this.listOf(key, 's');
    return list.map((item) => this.decoded(key, item));
  }

  number(key: string, fallback: number): number {
    const value = this.field(key)?.['f'];
    if (value === undefined) return fallback;
    if (typeof value !== 'number' || !Number.isFinite(value)) throw this.wrong(key, 'is not a number');
    return value;
  }

  integer(key: string, fallback: number): number {
    const value = this.field(key)?.['i'];
    return value === undefined ? fallback : this.whole(key, value);
  }

  integers(key: string, fallback: readonly number[]): readonly number[] {
    if (!this.field(key)) return fallback;
    return this.listOf(key, 'i').map((item) => this.whole(key, item));
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.field(key)?.['b'];
    return value === undefined ? fallback : value === true;
  }

  /** Sizes of a shape, -1 where they are open; undefined where it is not known. */
  shape(key: string): readonly number[] | undefined {
    const shape = this.field(key)?.['shape'];
    if (!isObject(shape) || shape['unknownRank'] === true) return undefined;
    const dims = shape['dim'] ?? [];
    if (!Array.isArray(dims) || dims.length > 8) throw this.wrong(key, 'is not a shape');
    return dims.map((dim) =>
      isObject(dim) && dim['size'] !== undefined ? this.whole(key, dim['size']) : -1,
    );
  }

  private listOf(key: string, kind: 's' | 'i'): readonly unknown[] {
    const list = this.field(key)?.['list'];
    const items = isObject(list) ? (list[kind] ?? []) : [];
    if (!Array.isArray(items) || items.length > 64) throw this.wrong(key, 'is not a list');
    return items;
  }

  private whole(key: string, value: unknown): number {
    const number = typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
    if (!Number.isSafeInteger(number)) throw this.wrong(key, 'is not a whole number');
    return number as number;
  }

  private decoded(key: string, value: unknown): string {
    if (typeof value !== 'string' || value.length > 1000) throw this.wrong(key, 'is not a text');
    try {
      return atob(value);
    } catch {
      throw this.wrong(key, 'is not base64');
    }
  }

  private wrong(key: string, what: string) {
    return damagedAt(`${this.node}.${key}`, what);
  }
}

/** A node of a TensorFlow graph as its lowering sees it. */
export interface GraphNode {
  readonly op: string;
  readonly attrs: NodeAttributes;
  readonly inputs: readonly Value[];
  readonly build: LayerBuilder;
}

/** Results of a node; most have one. */
export type LowerNode = (node: GraphNode) => Value | readonly Value[];

export function input({ inputs, op, build }: GraphNode, index: number): Value {
  const value = inputs[index];
  if (!value) throw build.refuse(op, `input ${index} is missing`);
  return value;
}

/** An input that is known before inference. */
export function constantInput(node: GraphNode, index: number): Value & { readonly data: TensorData } {
  const value = input(node, index);
  if (!value.data)
    throw node.build.refuse(node.op, `input ${index} is computed, and only a constant is possible`);
  return value as Value & { readonly data: TensorData };
}

export function numbers(node: GraphNode, index: number): number[] {
  return Array.from(constantInput(node, index).data as ArrayLike<number | bigint>, Number);
}

export function channelsLast({ attrs, op, build }: GraphNode): void {
  const format = attrs.text('data_format', 'NHWC');
  if (format !== 'NHWC') throw build.refuse(op, `its data_format is ${format}; only NHWC is possible`);
}

export function paddingOf({ attrs, op, build }: GraphNode): Padding | readonly number[] {
  const padding = attrs.text('padding', 'VALID');
  if (padding === 'SAME') return 'same';
  if (padding === 'VALID') return 'valid';
  const [, , top, bottom, left, right] = attrs.integers('explicit_paddings', []);
  if (padding !== 'EXPLICIT' || right === undefined) throw build.refuse(op, `its padding is ${padding}`);
  return [top!, left!, bottom!, right];
}

/** The two middle ones of four sizes for [N,H,W,C]. */
export function spatialPair(node: GraphNode, key: string): [number, number] {
  const sizes = node.attrs.integers(key, [1, 1, 1, 1]);
  const [batch, height, width, channels] = sizes;
  if (sizes.length !== 4 || batch !== 1 || channels !== 1 || !(height! >= 1) || !(width! >= 1)) {
    throw node.build.refuse(node.op, `its ${key} are [${sizes}]`);
  }
  return [height!, width!];
}
