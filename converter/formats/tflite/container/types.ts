import type { ScalarType, TableName, tables } from '../schema.ts';

type Tables = typeof tables;

type ScalarValue<T extends ScalarType> = T extends 'bool'
  ? boolean
  : T extends 'int64' | 'uint64'
    ? bigint
    : number;

type VectorValue<T extends ScalarType> = T extends 'uint8'
  ? Uint8Array
  : T extends 'float32'
    ? Float32Array
    : T extends 'int64'
      ? BigInt64Array
      : Int32Array;

type FieldValue<F> = F extends { kind: 'scalar'; type: infer T extends ScalarType }
  ? ScalarValue<T>
  : F extends { kind: 'vector'; type: infer T extends ScalarType }
    ? VectorValue<T>
    : F extends { kind: 'string' }
      ? string
      : F extends { kind: 'table'; table: infer N extends TableName }
        ? Decoded<N> | undefined
        : F extends { kind: 'tables'; table: infer N extends TableName }
          ? readonly Decoded<N>[]
          : F extends { kind: 'union' }
            ? DecodedOptions | undefined
            : never;

/** A table of the file as a plain object, with the format's defaults where a field is absent. */
export type Decoded<N extends TableName> = { readonly [F in keyof Tables[N]]: FieldValue<Tables[N][F]> };

/** An operator's options: which table, and its fields. */
export interface DecodedOptions {
  readonly table: TableName;
  readonly value: Readonly<Record<string, OptionValue>>;
}

export type OptionValue = number | boolean | Int32Array;

type FieldInput<F> = F extends { kind: 'table'; table: infer N extends TableName }
  ? Encodable<N> | undefined
  : F extends { kind: 'tables'; table: infer N extends TableName }
    ? readonly Encodable<N>[]
    : FieldValue<F>;

/** A table to write: absent fields are left out of the file, which means the format's default. */
export type Encodable<N extends TableName> = { readonly [F in keyof Tables[N]]?: FieldInput<Tables[N][F]> };
