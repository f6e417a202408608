import protobuf from 'protobufjs/minimal.js';
import { type FieldSchema, type Message, type MessageName, type ScalarKind, schema } from './schema.ts';

type Writer = InstanceType<typeof protobuf.Writer>;

/** A message to write: any of its fields. */
export type DraftOf<M extends MessageName> = Partial<Message<M>>;

/** Wire types of the protobuf encoding for each kind of scalar. */
const wireTypes: Readonly<Record<ScalarKind, number>> = {
  int64: 0,
  bigint: 0,
  double: 1,
  string: 2,
  bytes: 2,
  float: 5,
};
const lengthDelimited = 2;

/** Numbers of a list stand in one field. */
const packable: ReadonlySet<string> = new Set<ScalarKind>(['int64', 'bigint', 'double', 'float']);

function writeVarint(writer: Writer, value: number | bigint): void {
  const bits = BigInt.asUintN(64, BigInt(value));
  const pair = { low: Number(bits & 0xffffffffn) | 0, high: Number(bits >> 32n) | 0, unsigned: true };
  writer.uint64(pair as unknown as number);
}

function writeScalar(writer: Writer, kind: string, value: unknown): void {
  switch (kind) {
    case 'float':
      writer.float(value as number);
      break;
    case 'double':
      writer.double(value as number);
      break;
    case 'string':
      writer.string(value as string);
      break;
    case 'bytes':
      // A plain view: protobufjs copies a Node.js Buffer by other code.
      writer.bytes(value as Uint8Array);
      break;
    default:
      writeVarint(writer, value as number | bigint);
  }
}

const tag = (number: number, wireType: number) => ((number << 3) | wireType) >>> 0;

function writeOne(writer: Writer, number: number, kind: string, value: unknown): void {
  if (kind in schema) {
    writer.uint32(tag(number, lengthDelimited)).bytes(writeMessage(kind as MessageName, value as object));
    return;
  }
  writer.uint32(tag(number, wireTypes[kind as ScalarKind]));
  writeScalar(writer, kind, value);
}

function writeField(writer: Writer, [number, kind, repeated]: FieldSchema, value: unknown): void {
  const list = (repeated === undefined ? [value] : value) as readonly unknown[];
  if (repeated === undefined || !packable.has(kind)) {
    for (const item of list) writeOne(writer, number, kind, item);
  } else if (list.length > 0) {
    const inner = protobuf.Writer.create();
    for (const item of list) writeScalar(inner, kind, item);
    writer.uint32(tag(number, lengthDelimited)).bytes(inner.finish());
  }
}

/** Encodes a message of onnx.proto, fields in the order of the schema; the same message gives the same bytes. */
export function writeMessage<M extends MessageName>(name: M, message: DraftOf<M>): Uint8Array {
  const writer = new protobuf.Writer();
  const fields = message as Readonly<Record<string, unknown>>;
  for (const [field, rule] of Object.entries(schema[name]) as [string, FieldSchema][]) {
    const value = fields[field];
    if (value !== undefined) writeField(writer, rule, value);
  }
  return writer.finish();
}
