import type { TensorData, Value } from '../../../ir/types.ts';
import type { AttributeProto, GraphProto } from '../container/schema.ts';
import { attributeMalformed, notConvertible } from '../errors.ts';
import type { ReadExternal } from '../tensor/external-data.ts';
import { readTensor } from '../tensor/read-tensor.ts';

/** AttributeProto.AttributeType, by the field that holds the value. */
const typeCodes = { f: 1, i: 2, s: 3, t: 4, g: 5, floats: 6, ints: 7, strings: 8 } as const;
type ValueField = keyof typeof typeCodes;

const typeNames: ReadonlyMap<number, string> = new Map(
  Object.entries(typeCodes).map(([field, code]) => [code, field]),
);

/**
 * Attributes of one node. Each read is noted; `finish` refuses attributes that nobody read, so that none is ever
 * ignored.
 */
export class AttributeReader {
  private readonly unread: Set<string>;
  private readonly attributes: ReadonlyMap<string, AttributeProto>;
  private readonly readExternal: ReadExternal | undefined;

  constructor(attributes: ReadonlyMap<string, AttributeProto>, readExternal: ReadExternal | undefined) {
    this.attributes = attributes;
    this.unread = new Set(attributes.keys());
    this.readExternal = readExternal;
  }

  has(name: string): boolean {
    return this.attributes.has(name);
  }

  int(name: string, otherwise: number): number {
    const attribute = this.take(name, 'i');
    return attribute ? (attribute.i ?? 0) : otherwise;
  }

  /** 0 or 1. */
  flag(name: string, otherwise: boolean): boolean {
    const value = this.int(name, otherwise ? 1 : 0);
    if (value !== 0 && value !== 1) throw attributeMalformed(name, `is ${value}, not 0 or 1`);
    return value === 1;
  }

  ints(name: string): readonly number[] | undefined {
    return this.take(name, 'ints')?.ints;
  }

  /** A finite number. */
  float(name: string, otherwise: number): number {
    const value = this.bound(name) ?? otherwise;
    if (!Number.isFinite(value)) throw attributeMalformed(name, `is ${value}, which is not finite`);
    return value;
  }

  /** A number that may be infinite but not NaN, or undefined when absent. */
  bound(name: string): number | undefined {
    const attribute = this.take(name, 'f');
    if (!attribute) return undefined;
    const value = attribute.f ?? 0;
    if (Number.isNaN(value)) throw attributeMalformed(name, 'is NaN');
    return value;
  }

  floats(name: string): readonly number[] | undefined {
    return this.take(name, 'floats')?.floats;
  }

  string(name: string, otherwise: string): string {
    const attribute = this.take(name, 's');
    if (!attribute) return otherwise;
    return new TextDecoder().decode(attribute.s ?? new Uint8Array());
  }

  tensor(name: string): (Value & { readonly data: TensorData }) | undefined {
    const attribute = this.take(name, 't');
    if (!attribute) return undefined;
    if (!attribute.t) throw attributeMalformed(name, 'has no tensor');
    return readTensor(attribute.t, attribute.t.name || name, this.readExternal);
  }

  graph(name: string): GraphProto {
    const graph = this.take(name, 'g')?.g;
    if (!graph) throw attributeMalformed(name, 'has no graph');
    return graph;
  }

  /** Marks attributes as known to have no effect on inference. */
  ignore(...names: readonly string[]): void {
    for (const name of names) this.unread.delete(name);
  }

  /** Throws E_ONNX_UNSUPPORTED_OP when an attribute is left that no one asked for. */
  finish(): void {
    const [name] = this.unread;
    if (name !== undefined) throw notConvertible(`its attribute "${name.slice(0, 80)}" is not known`);
  }

  private take(name: string, field: ValueField): AttributeProto | undefined {
    const attribute = this.attributes.get(name);
    if (!attribute) return undefined;
    this.unread.delete(name);
    const type = attribute.type ?? 0;
    if (type !== 0 && type !== typeCodes[field]) {
      throw attributeMalformed(name, `has type ${typeNames.get(type) ?? type}, expected ${field}`);
    }
    return attribute;
  }
}
