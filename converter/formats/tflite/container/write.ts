import { Builder } from 'flatbuffers';
import { internalBadExport } from '../errors.ts';
import { dataAlignment, fileIdentifier, optionTables, type TableName, tables } from '../schema.ts';
import type { DecodedOptions, Encodable } from './types.ts';

interface FieldRow {
  readonly id: number;
  readonly kind: 'scalar' | 'vector' | 'string' | 'table' | 'tables' | 'union';
  readonly type?: string;
  readonly absent?: number;
  readonly table?: string;
}

type Fields = Readonly<Record<string, unknown>>;

const optionNumbers = new Map([...optionTables].map(([number, name]) => [name, number]));

function addVector(builder: Builder, type: string, values: unknown): number {
  if (type === 'uint8') {
    const bytes = values as Uint8Array;
    builder.prep(dataAlignment, bytes.length);
    return builder.createByteVector(bytes);
  }
  if (type === 'int64') {
    const list = values as BigInt64Array;
    builder.startVector(8, list.length, 8);
    for (let i = list.length - 1; i >= 0; i--) builder.addInt64(list[i]!);
    return builder.endVector();
  }
  const list = values as Int32Array | Float32Array;
  builder.startVector(4, list.length, 4);
  for (let i = list.length - 1; i >= 0; i--) {
    if (type === 'float32') builder.addFloat32(list[i]!);
    else builder.addInt32(list[i]!);
  }
  return builder.endVector();
}

function addTables(builder: Builder, name: TableName, list: readonly Fields[]): number {
  const offsets = list.map((fields) => addTable(builder, name, fields));
  builder.startVector(4, offsets.length, 4);
  for (let i = offsets.length - 1; i >= 0; i--) builder.addOffset(offsets[i]!);
  return builder.endVector();
}

/** What a field refers to must stand in the file before the table does. */
function addReferred(builder: Builder, row: FieldRow, value: unknown): number {
  switch (row.kind) {
    case 'string':
      return builder.createString(value as string);
    case 'vector':
      return addVector(builder, row.type!, value);
    case 'table':
      return addTable(builder, row.table as TableName, value as Fields);
    case 'tables':
      return addTables(builder, row.table as TableName, value as readonly Fields[]);
    case 'union': {
      const { table, value: fields } = value as DecodedOptions;
      return addTable(builder, table, fields);
    }
    case 'scalar':
      return 0;
  }
}

function addScalar(builder: Builder, row: FieldRow, value: number | bigint | boolean): void {
  const absent = row.absent ?? 0;
  if (row.type === 'bool' || row.type === 'int8' || row.type === 'uint8') {
    builder.addFieldInt8(row.id, Number(value), absent);
  } else if (row.type === 'float32') {
    builder.addFieldFloat32(row.id, Number(value), absent);
  } else if (row.type === 'int32' || row.type === 'uint32') {
    builder.addFieldInt32(row.id, Number(value), absent);
  } else {
    builder.addFieldInt64(row.id, BigInt(value), BigInt(absent));
  }
}

function addTable(builder: Builder, name: TableName, fields: Fields): number {
  const schema: Readonly<Record<string, FieldRow>> = tables[name];
  const unknown = Object.keys(fields).find((key) => !Object.hasOwn(schema, key));
  if (unknown) throw internalBadExport(`${name} has no field ${unknown}`);
  const present = Object.entries(schema).filter(([key]) => fields[key] !== undefined);
  const referred = present.map(([key, row]) => addReferred(builder, row, fields[key]));
  builder.startObject(Math.max(0, ...Object.values(schema).map(({ id }) => id + 1)));
  for (const [i, [key, row]] of present.entries()) {
    if (row.kind === 'scalar') {
      addScalar(builder, row, fields[key] as number | bigint | boolean);
      continue;
    }
    if (row.kind === 'union') {
      builder.addFieldInt8(row.id - 1, optionNumbers.get((fields[key] as DecodedOptions).table)!, 0);
    }
    builder.addFieldOffset(row.id, referred[i]!, 0);
  }
  return builder.endObject();
}

/** The bytes of a TFLite file. Tensor data start at multiples of 16 bytes. The same model gives the same bytes. */
export function writeFlatbuffer(model: Encodable<'Model'>): Uint8Array {
  const data = (model.buffers ?? []).reduce((sum, buffer) => sum + (buffer.data?.length ?? 0) + 64, 0);
  const builder = new Builder(data + 65536);
  builder.finish(addTable(builder, 'Model', model), fileIdentifier);
  return builder.asUint8Array().slice();
}
