import { allocate, elementBytes } from '../../../ir/tensor.ts';
import type { DType, Shape, TensorData, Value } from '../../../ir/types.ts';
import { constantsReadTooOften, foldTooLarge } from '../errors.ts';
import { mostFoldedBytes, mostReadElements } from '../limits.ts';

/** What the constants of one model may still cost; asked before each use and each allocation. */
export class FoldBudget {
  private bytes = mostFoldedBytes;
  private elements = mostReadElements;

  /** Zeroed storage for a result. Throws E_ONNX_FOLDING. */
  allocate(dtype: DType, shape: Shape): TensorData {
    const count = shape.reduce((product, size) => product * size, 1);
    this.bytes -= count * elementBytes(dtype);
    if (!(this.bytes >= 0)) throw foldTooLarge(shape, mostFoldedBytes);
    return allocate(dtype, count);
  }

  /** Counts the constants that a node reads: many nodes may share a large one. Throws E_ONNX_FOLDING. */
  read(inputs: readonly (Value | undefined)[]): void {
    for (const input of inputs) this.elements -= input?.data?.length ?? 0;
    if (this.elements < 0) throw constantsReadTooOften(mostReadElements);
  }
}
