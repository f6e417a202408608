import protobuf from 'protobufjs/minimal.js';
import { fileDamaged, fileTooLarge } from '../errors.ts';
import { mostMessages, mostNesting } from '../limits.ts';
import { type FieldSchema, type Message, type MessageName, type ScalarKind, schema } from './schema.ts';

type Reader = InstanceType<typeof protobuf.Reader>;
type Draft = Record<string, unknown>;

interface FieldRule {
  readonly name: string;
  readonly kind: string;
  readonly repeated: boolean;
}

interface MessageRule {
  readonly fields: ReadonlyMap<number, FieldRule>;
  /** Every field absent; copying it gives all messages of a kind the same shape in memory. */
  readonly blank: Readonly<Draft>;
}

/** Wire types of the protobuf encoding; 3 and 4, groups, are not used by ONNX and refused. */
const wire = { varint: 0, fixed64: 1, lengthDelimited: 2, fixed32: 5 } as const;

interface Scalar {
  readonly wireType: number;
  read(reader: Reader): unknown;
}

/** What `Reader.int64` returns: a Long where that package is present, else a number. */
type Int64 = number | { readonly low: number; readonly high: number };

function toNumber(value: Int64): number {
  return typeof value === 'number' ? value : value.high * 2 ** 32 + (value.low >>> 0);
}

function toBigInt(value: Int64): bigint {
  if (typeof value === 'number') return BigInt(value);
  return (BigInt(value.high) << 32n) | BigInt(value.low >>> 0);
}

const scalars: ReadonlyMap<string, Scalar> = new Map<ScalarKind, Scalar>([
  ['int64', { wireType: wire.varint, read: (reader) => toNumber(reader.int64()) }],
  ['bigint', { wireType: wire.varint, read: (reader) => toBigInt(reader.int64()) }],
  ['float', { wireType: wire.fixed32, read: (reader) => reader.float() }],
  ['double', { wireType: wire.fixed64, read: (reader) => reader.double() }],
  ['string', { wireType: wire.lengthDelimited, read: (reader) => reader.string() }],
  ['bytes', { wireType: wire.lengthDelimited, read: (reader) => reader.bytes() }],
]);

/** Stands in every repeated field that is absent. */
const nothing: readonly unknown[] = Object.freeze([]);

const rules: ReadonlyMap<string, MessageRule> = new Map(
  Object.entries(schema).map(([message, fields]: [string, Record<string, FieldSchema>]) => {
    const entries = Object.entries(fields).map(([name, [number, kind, repeated]]): [number, FieldRule] => [
      number,
      { name, kind, repeated: repeated === 'repeated' },
    ]);
    const blank: Draft = {};
    for (const [, field] of entries) blank[field.name] = field.repeated ? nothing : undefined;
    return [message, { fields: new Map(entries), blank }];
  }),
);

/** One pass over one file; counts messages, so that a file of empty ones cannot fill the memory. */
class MessageReader {
  private readonly reader: Reader;
  private messages = 0;

  constructor(bytes: Uint8Array) {
    this.reader = new protobuf.Reader(bytes);
  }

  /** Decodes fields into `draft` up to `end`. */
  read(rule: MessageRule, draft: Draft, end: number, depth: number): void {
    const { reader } = this;
    if (depth > mostNesting) {
      throw fileDamaged(`messages are nested deeper than ${mostNesting}`, reader.pos);
    }
    if (++this.messages > mostMessages) throw fileTooLarge('messages', mostMessages);
    const outer = reader.len;
    reader.len = end;
    while (reader.pos < end) {
      const tag = reader.tag();
      if (tag >>> 3 === 0) throw fileDamaged('field number 0', reader.pos);
      const field = rule.fields.get(tag >>> 3);
      if (!field || !this.readField(field, tag & 7, draft, depth)) this.skip(tag & 7);
    }
    reader.len = outer;
  }

  /** False when the wire type is not one that this field may have; such a field counts as unknown. */
  private readField(field: FieldRule, wireType: number, draft: Draft, depth: number): boolean {
    const scalar = scalars.get(field.kind);
    if (!scalar) {
      if (wireType !== wire.lengthDelimited) return false;
      this.readNested(field, draft, depth);
    } else if (wireType === scalar.wireType) {
      const value = scalar.read(this.reader);
      if (field.repeated) listOf(draft, field).push(value);
      else draft[field.name] = value;
    } else if (field.repeated && wireType === wire.lengthDelimited) {
      this.readPacked(scalar, listOf(draft, field));
    } else {
      return false;
    }
    return true;
  }

  private readNested(field: FieldRule, draft: Draft, depth: number): void {
    const rule = rules.get(field.kind)!;
    const end = this.lengthPrefix();
    // A singular message that comes twice is merged, as protobuf prescribes.
    const earlier = field.repeated ? undefined : (draft[field.name] as Draft | undefined);
    const nested = earlier ?? { ...rule.blank };
    this.read(rule, nested, end, depth + 1);
    if (field.repeated) listOf(draft, field).push(nested);
    else draft[field.name] = nested;
  }

  private readPacked(scalar: Scalar, list: unknown[]): void {
    const { reader } = this;
    const end = this.lengthPrefix();
    const outer = reader.len;
    reader.len = end;
    while (reader.pos < end) list.push(scalar.read(reader));
    reader.len = outer;
  }

  /** End of the length-delimited field at hand, which is inside the message around it. */
  private lengthPrefix(): number {
    const length = this.reader.size();
    const end = this.reader.pos + length;
    if (end > this.reader.len) {
      throw fileDamaged(
        `a field of ${length} bytes, but only ${this.reader.len - this.reader.pos} are left`,
        this.reader.pos,
      );
    }
    return end;
  }

  private skip(wireType: number): void {
    switch (wireType) {
      case wire.varint:
        this.reader.skip();
        break;
      case wire.fixed64:
        this.reader.skip(8);
        break;
      case wire.lengthDelimited:
        this.reader.pos = this.lengthPrefix();
        break;
      case wire.fixed32:
        this.reader.skip(4);
        break;
      default:
        throw fileDamaged(`wire type ${wireType}, which ONNX does not use`, this.reader.pos);
    }
  }

  get position(): number {
    return this.reader.pos;
  }
}

function listOf(draft: Draft, field: FieldRule): unknown[] {
  const list = draft[field.name] as unknown[];
  if (list !== nothing) return list;
  const fresh: unknown[] = [];
  draft[field.name] = fresh;
  return fresh;
}

/**
 * Decodes a message of onnx.proto. `bytes` fields are views into `bytes`. Throws E_ONNX_DAMAGED when the encoding
 * is broken anywhere, E_ONNX_TOO_LARGE when it holds more messages than any network needs.
 */
export function readMessage<M extends MessageName>(name: M, bytes: Uint8Array): Message<M> {
  const rule = rules.get(name)!;
  const draft: Draft = { ...rule.blank };
  // A plain view, since protobufjs treats a Node.js Buffer by other code.
  const reader = new MessageReader(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  try {
    reader.read(rule, draft, bytes.byteLength, 0);
  } catch (error) {
    // protobufjs reports broken encoding by bare Error and RangeError.
    if (error instanceof Error && (error.name === 'Error' || error.name === 'RangeError')) {
      throw fileDamaged(error.message, reader.position);
    }
    throw error;
  }
  return draft as Message<M>;
}
