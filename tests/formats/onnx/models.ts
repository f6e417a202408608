import { type Draft, type EncodeOptions, encode } from './encode.ts';

/** AttributeProto of the type that the value has: integers only when marked by `ints` and `int`. */
export const attribute = {
  int: (name: string, i: number): Draft => ({ name, i, type: 2 }),
  float: (name: string, f: number): Draft => ({ name, f, type: 1 }),
  string: (name: string, s: string): Draft => ({ name, s: new TextEncoder().encode(s), type: 3 }),
  ints: (name: string, ints: readonly number[]): Draft => ({ name, ints, type: 7 }),
  tensor: (name: string, t: Draft): Draft => ({ name, t, type: 4 }),
  graph: (name: string, g: Draft): Draft => ({ name, g, type: 5 }),
  reference: (name: string, refAttrName: string, type: number): Draft => ({ name, refAttrName, type }),
};

export function node(
  opType: string,
  input: readonly string[],
  output: readonly string[],
  attributes: readonly Draft[] = [],
  more: Draft = {},
): Draft {
  return { opType, input, output, attribute: attributes, ...more };
}

/** A float tensor in raw data. */
export function floats(name: string, dims: readonly number[], values: readonly number[]): Draft {
  const rawData = new Uint8Array(Float32Array.from(values).buffer);
  return { name, dims, dataType: 1, rawData };
}

export function int64s(name: string, values: readonly (number | bigint)[]): Draft {
  return { name, dims: [values.length], dataType: 7, int64Data: values.map(BigInt) };
}

/** A float input or output; numbers are sizes, strings are names of open dimensions. */
export function port(name: string, dims: readonly (number | string)[] | undefined, elemType = 1): Draft {
  const dim = dims?.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType, ...(dim && { shape: { dim } }) } } };
}

export interface ModelParts {
  readonly nodes: readonly Draft[];
  readonly inputs?: readonly Draft[];
  readonly outputs?: readonly Draft[];
  readonly initializers?: readonly Draft[];
  readonly opset?: number;
  readonly opsets?: readonly Draft[];
  readonly irVersion?: number;
  readonly functions?: readonly Draft[];
  readonly graph?: Draft;
  readonly encoding?: EncodeOptions;
}

/** A model file; by default from input "x" [1,3,8,8] to output "y", opset 17. */
export function model(parts: ModelParts): Uint8Array {
  return encode(
    'ModelProto',
    {
      irVersion: parts.irVersion ?? 8,
      opsetImport: parts.opsets ?? [{ domain: '', version: parts.opset ?? 17 }],
      functions: parts.functions ?? [],
      graph: {
        name: 'test',
        node: parts.nodes,
        input: parts.inputs ?? [port('x', [1, 3, 8, 8])],
        output: parts.outputs ?? [port('y', [])],
        initializer: parts.initializers ?? [],
        ...parts.graph,
      },
    },
    parts.encoding,
  );
}
