import protobuf from 'protobufjs/minimal.js';
import {
  type FieldSchema,
  type MessageName,
  schema,
} from '../../../converter/formats/onnx/container/schema.ts';

type Writer = InstanceType<typeof protobuf.Writer>;

/** Freedoms that protobuf leaves to writers; readers must not care. */
export interface EncodeOptions {
  /** Numbers of a list in one field; one by one otherwise. */
  readonly packed?: boolean;
  /** Fields of each message from last to first. */
  readonly reversed?: boolean;
  /** Adds fields that no schema has to each message. */
  readonly unknownFields?: boolean;
}

/** Loose form of a message: any subset of its fields. */
export type Draft = Readonly<Record<string, unknown>>;

const wireTypes = new Map([
  ['int64', 0],
  ['bigint', 0],
  ['double', 1],
  ['float', 5],
]);

function writeScalar(writer: Writer, kind: string, value: unknown): void {
  if (kind === 'float') writer.float(value as number);
  else if (kind === 'double') writer.double(value as number);
  else if (kind === 'string') writer.string(value as string);
  else if (kind === 'bytes') writer.bytes(value as Uint8Array);
  else writeVarint(writer, BigInt.asUintN(64, BigInt(value as number)));
}

function writeVarint(writer: Writer, value: bigint): void {
  const high = Number(value >> 32n) >>> 0;
  const low = Number(value & 0xffffffffn);
  writer.uint64({ low: low | 0, high: high | 0, unsigned: true } as unknown as number);
}

function writeField(writer: Writer, [number, kind]: FieldSchema, value: unknown, options: EncodeOptions) {
  if (kind in schema) {
    writer.uint32((number << 3) | 2).bytes(encode(kind as MessageName, value as Draft, options));
    return;
  }
  writer.uint32((number << 3) | (wireTypes.get(kind) ?? 2));
  writeScalar(writer, kind, value);
}

function writePacked(writer: Writer, [number, kind]: FieldSchema, values: readonly unknown[]): void {
  const inner = protobuf.Writer.create();
  for (const value of values) writeScalar(inner, kind, value);
  writer.uint32((number << 3) | 2).bytes(inner.finish());
}

/** Bytes of a message of onnx.proto. */
export function encode(name: MessageName, message: Draft, options: EncodeOptions = {}): Uint8Array {
  const writer = protobuf.Writer.create();
  if (options.unknownFields)
    writer
      .uint32((900 << 3) | 2)
      .string('unknown')
      .uint32(901 << 3)
      .uint32(7);
  const fields = Object.entries(schema[name] as Record<string, FieldSchema>);
  for (const [field, rule] of options.reversed ? fields.reverse() : fields) {
    const value = message[field];
    if (value === undefined) continue;
    if (rule[2] === undefined) writeField(writer, rule, value, options);
    else if (options.packed && wireTypes.has(rule[1])) writePacked(writer, rule, value as unknown[]);
    else for (const entry of value as unknown[]) writeField(writer, rule, entry, options);
  }
  return new Uint8Array(writer.finish());
}
