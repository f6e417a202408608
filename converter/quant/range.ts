/** The real interval that a quantized tensor shall cover. */
export interface Range {
  readonly min: number;
  readonly max: number;
}
