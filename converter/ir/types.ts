/**
 * The graph as every part of the converter sees it. Format-free and readonly: semantics and layout are TFLite's
 * (NHWC activations, OHWI convolution weights), shapes are static, batch is 1.
 */
export type DType = 'float32' | 'int8' | 'uint8' | 'int16' | 'int32' | 'int64' | 'bool';

export type Shape = readonly number[];

/** Elements of a constant in row-major order; `bool` is one byte an element, `int64` is kept exact. */
export type TensorData = Float32Array | Int8Array | Uint8Array | Int16Array | Int32Array | BigInt64Array;

/**
 * real = scale * (stored - zeroPoint). One scale and zero point for the tensor, or one of each for every slice
 * along `axis` (per channel).
 */
export interface Quantization {
  readonly scale: readonly number[];
  readonly zeroPoint: readonly number[];
  readonly axis?: number;
}

export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly quant?: Quantization;
  /** Of int8 weights that fit 4 bits: files and programs hold two in a byte. */
  readonly bits?: 4;
}

/** A tensor of the graph; with `data` it is a constant. Its name is unique in the graph. */
export interface Value {
  readonly name: string;
  readonly type: TensorType;
  readonly data?: TensorData;
}

export type AttributeValue = number | string | boolean | readonly number[];
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** One operation. `origin` is the user's own name of the layer it came from. */
export interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attrs: Attributes;
  readonly origin: string;
}

/**
 * An input or output as the user knows it. `shape` is the user's own; the graph's value holds
 * transpose(user tensor, perm), with dimensions of size 1 inserted or dropped to give the value's shape.
 */
export interface Port {
  readonly name: string;
  readonly value: string;
  readonly shape: Shape;
  readonly perm?: readonly number[];
}

/** Nodes stand in an order in which every input is made before it is used. */
export interface Graph {
  readonly name: string;
  readonly nodes: readonly Node[];
  readonly values: ReadonlyMap<string, Value>;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** Scales of weights that a quantized model stored, where the graph holds their real values. */
  readonly storedScales?: readonly (readonly number[])[];
}
