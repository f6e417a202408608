import { damagedTflite, notTflite } from '../errors.ts';
import { fileIdentifier, optionTables, type ScalarType, type TableName, tables } from '../schema.ts';
import type { Decoded, DecodedOptions } from './types.ts';

const scalarBytes: Readonly<Record<ScalarType, number>> = {
  bool: 1,
  int8: 1,
  uint8: 1,
  int32: 4,
  uint32: 4,
  float32: 4,
  int64: 8,
  uint64: 8,
};

/**
 * Parts may be shared between tables, which a hostile file can use to make a small file decode to a huge model.
 * Everything decoded is counted against this multiple of the file's length.
 */
const sharingAllowed = 2;
/** What the smallest table counts for: about what it costs in memory here, less than any real one has in a file. */
const smallestTable = 24;

interface FieldRow {
  readonly id: number;
  readonly kind: 'scalar' | 'vector' | 'string' | 'table' | 'tables' | 'union';
  readonly type?: ScalarType;
  readonly absent?: number;
  readonly table?: string;
}

const rows = new Map(
  Object.entries(tables).map(([name, fields]) => [name, Object.entries(fields) as [string, FieldRow][]]),
);

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** A table of the file: where it starts, and where its vtable says which fields it has. */
interface TableSpot {
  readonly position: number;
  readonly size: number;
  readonly vtable: number;
  readonly vtableSize: number;
  readonly path: string;
}

/**
 * Reads a flatbuffer by the schema's tables; every offset, length and alignment is checked before it is followed.
 * The schema has no table within itself, so the recursion is as deep as the schema (four tables).
 */
class FlatbufferReader {
  private readonly view: DataView;
  private budget: number;
  private readonly bytes: Uint8Array;
  private readonly file: string;

  constructor(bytes: Uint8Array, file: string) {
    this.bytes = bytes;
    this.file = file;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.budget = sharingAllowed * bytes.length + 4096;
  }

  root<N extends TableName>(name: N): Decoded<N> {
    return this.table(this.follow(0, 'root'), name, '') as Decoded<N>;
  }

  private fail(path: string, what: string): never {
    throw damagedTflite(this.file, path === '' ? 'model' : path, what);
  }

  private spend(bytes: number, path: string): void {
    this.budget -= bytes;
    if (this.budget < 0)
      this.fail(path, 'and others share their parts so often that the file cannot be real');
  }

  /** The position that the offset at `at` points to, with room for at least a length there. */
  private follow(at: number, path: string): number {
    const target = at + this.view.getUint32(at, true);
    if (target === at || target % 4 !== 0 || target + 4 > this.bytes.length) {
      this.fail(path, `has an offset to byte ${target} of ${this.bytes.length}`);
    }
    return target;
  }

  private spot(position: number, path: string): TableSpot {
    const vtable = position - this.view.getInt32(position, true);
    const length = this.bytes.length;
    if (vtable < 0 || vtable % 2 !== 0 || vtable + 4 > length)
      this.fail(path, `has its field list at byte ${vtable}`);
    const vtableSize = this.view.getUint16(vtable, true);
    const size = this.view.getUint16(vtable + 2, true);
    if (vtableSize < 4 || vtableSize % 2 !== 0 || vtable + vtableSize > length || size < 4) {
      this.fail(path, 'has a field list of impossible size');
    }
    if (position + size > length) this.fail(path, 'reaches beyond the end of the file');
    return { position, size, vtable, vtableSize, path };
  }

  /** Where a field of `bytes` bytes stands, or undefined when the table does not have it. */
  private field(spot: TableSpot, id: number, bytes: number, name: string): number | undefined {
    const entry = 4 + 2 * id;
    const offset = entry + 2 <= spot.vtableSize ? this.view.getUint16(spot.vtable + entry, true) : 0;
    if (offset === 0) return undefined;
    const at = spot.position + offset;
    if (offset < 4 || offset + bytes > spot.size || at % bytes !== 0) {
      this.fail(`${spot.path}${name}`, 'stands outside its table');
    }
    return at;
  }

  private table(position: number, name: TableName, path: string): Record<string, unknown> {
    this.spend(smallestTable, path);
    const spot = this.spot(position, path === '' ? '' : `${path}.`);
    const result: Record<string, unknown> = {};
    for (const [key, row] of rows.get(name)!) result[key] = this.value(spot, key, row);
    return result;
  }

  private value(spot: TableSpot, key: string, row: FieldRow): unknown {
    if (row.kind === 'scalar') return this.scalarField(spot, key, row);
    const at = this.field(spot, row.id, 4, key);
    const path = `${spot.path}${key}`;
    switch (row.kind) {
      case 'string':
        return at === undefined ? '' : this.text(this.follow(at, path), path);
      case 'vector':
        return at === undefined
          ? emptyVector(row.type!)
          : this.vector(this.follow(at, path), row.type!, path);
      case 'table':
        return at === undefined ? undefined : this.table(this.follow(at, path), row.table as TableName, path);
      case 'tables':
        return at === undefined ? [] : this.tables(this.follow(at, path), row.table as TableName, path);
      case 'union':
        return at === undefined ? undefined : this.union(spot, row.id, at, path);
    }
  }

  private scalarField(spot: TableSpot, key: string, row: FieldRow): number | bigint | boolean {
    const type = row.type!;
    const at = this.field(spot, row.id, scalarBytes[type], key);
    return at === undefined ? absentScalar(type, row.absent!) : this.scalar(at, type);
  }

  private scalar(at: number, type: ScalarType): number | bigint | boolean {
    switch (type) {
      case 'bool':
        return this.view.getUint8(at) !== 0;
      case 'int8':
        return this.view.getInt8(at);
      case 'uint8':
        return this.view.getUint8(at);
      case 'int32':
        return this.view.getInt32(at, true);
      case 'uint32':
        return this.view.getUint32(at, true);
      case 'float32':
        return this.view.getFloat32(at, true);
      case 'int64':
        return this.view.getBigInt64(at, true);
      case 'uint64':
        return this.view.getBigUint64(at, true);
    }
  }

  /** Number of elements of the vector at `at`, all of them within the file. */
  private lengthAt(at: number, elementBytes: number, path: string): number {
    const count = this.view.getUint32(at, true);
    const end = at + 4 + count * elementBytes;
    if (end > this.bytes.length) {
      this.fail(path, `has ${count} elements, which reach byte ${end} of ${this.bytes.length}`);
    }
    if (count > 0 && (at + 4) % elementBytes !== 0) this.fail(path, 'is not aligned');
    this.spend(4 + count * elementBytes, path);
    return count;
  }

  private text(at: number, path: string): string {
    const count = this.lengthAt(at, 1, path);
    const end = at + 4 + count;
    if (end >= this.bytes.length || this.bytes[end] !== 0) this.fail(path, 'is a text without its end mark');
    return decoder.decode(this.bytes.subarray(at + 4, end));
  }

  private vector(at: number, type: ScalarType, path: string): unknown {
    const size = scalarBytes[type];
    const count = this.lengthAt(at, size, path);
    const start = at + 4;
    if (type === 'uint8') return this.bytes.subarray(start, start + count);
    const copy = this.bytes.slice(start, start + count * size).buffer;
    if (type === 'float32') return new Float32Array(copy);
    return type === 'int64' ? new BigInt64Array(copy) : new Int32Array(copy);
  }

  private tables(at: number, name: TableName, path: string): unknown[] {
    const count = this.lengthAt(at, 4, path);
    const result: unknown[] = [];
    for (let i = 0; i < count; i++) {
      const place = `${path}[${i}]`;
      result.push(this.table(this.follow(at + 4 + 4 * i, place), name, place));
    }
    return result;
  }

  /** Options of operators that this program does not know stay unread. */
  private union(spot: TableSpot, id: number, at: number, path: string): DecodedOptions | undefined {
    const typeAt = this.field(spot, id - 1, 1, `${path}Type`);
    const name = typeAt === undefined ? undefined : optionTables.get(this.view.getUint8(typeAt));
    if (!name) return undefined;
    const value = this.table(this.follow(at, path), name, path);
    return { table: name, value } as DecodedOptions;
  }
}

function absentScalar(type: ScalarType, absent: number): number | bigint | boolean {
  if (type === 'bool') return absent !== 0;
  return type === 'int64' || type === 'uint64' ? BigInt(absent) : absent;
}

function emptyVector(type: ScalarType): unknown {
  if (type === 'uint8') return new Uint8Array(0);
  if (type === 'float32') return new Float32Array(0);
  return type === 'int64' ? new BigInt64Array(0) : new Int32Array(0);
}

/** Values of an option table whose fields are all absent. */
export function defaultOptions<N extends TableName>(name: N): Decoded<N> {
  const fields = rows.get(name)!.map(([key, row]) => {
    const value =
      row.kind === 'scalar' ? absentScalar(row.type!, row.absent!) : emptyVector(row.type ?? 'int32');
    return [key, value];
  });
  return Object.fromEntries(fields) as Decoded<N>;
}

/**
 * The model of a TFLite file as plain objects. Vectors of bytes are views into `bytes`; an absent vector or text
 * is an empty one. Throws E_TFLITE_FORMAT or E_TFLITE_DAMAGED, naming the field.
 */
export function readFlatbuffer(bytes: Uint8Array, file: string): Decoded<'Model'> {
  if (bytes.length < 8) throw notTflite(file, `it has only ${bytes.length} bytes`);
  const identifier = String.fromCharCode(...bytes.subarray(4, 8));
  if (identifier !== fileIdentifier) throw notTflite(file, `bytes 4 to 7 are ${JSON.stringify(identifier)}`);
  return new FlatbufferReader(bytes, file).root('Model');
}
