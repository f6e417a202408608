import { allocate, elementBytes } from '../../../ir/tensor.ts';
import type { DType, Shape, TensorData } from '../../../ir/types.ts';
import { foldTooLarge } from '../errors.ts';
import { mostFoldedBytes, mostFoldedWork } from '../limits.ts';

/** What constant folding of one model may still use; asked before each allocation. */
export class FoldBudget {
  private bytes = mostFoldedBytes;
  private work = mostFoldedWork;

  /** Zeroed storage for a result that is made from `read` elements. Throws E_ONNX_FOLDING. */
  allocate(dtype: DType, shape: Shape, read = 0): TensorData {
    const count = shape.reduce((product, size) => product * size, 1);
    this.bytes -= count * elementBytes(dtype);
    this.work -= count + read;
    if (!(this.bytes >= 0 && this.work >= 0)) throw foldTooLarge(shape, mostFoldedBytes);
    return allocate(dtype, count);
  }
}
