/** Tensor storage of any type, for copies that do not care which. */
export interface Elements {
  readonly length: number;
  [index: number]: number | bigint;
}
