import type { ConvertedModel } from '../../converter/convert-model.ts';
import { isQuantized } from '../../converter/convert-model.ts';
import { writeOnnx } from '../../converter/formats/onnx/write.ts';
import { asymmetricValues, markScales } from '../../converter/quant/mark-scales.ts';
import type { Context } from '../context.ts';
import { packageVersion } from '../package-info.ts';
import { exportNeedsFloat, exportNeedsQuantized } from './errors.ts';

/** Formats of a single file that a converted model can be written as. */
export const exportFormats = ['tflite', 'onnx', 'onnx-qdq'] as const;
export type ExportFormat = (typeof exportFormats)[number];

export const extensionOf: Readonly<Record<ExportFormat, string>> = {
  tflite: '.tflite',
  onnx: '.onnx',
  'onnx-qdq': '.qdq.onnx',
};

/** The bytes of a converted model in another format. */
export function exportModel(context: Context, converted: ConvertedModel, format: ExportFormat): Uint8Array {
  if (format === 'tflite') return converted.tflite;
  if (format === 'onnx') {
    if (!converted.float) throw exportNeedsFloat();
    return writeOnnx(converted.float, packageVersion());
  }
  if (!isQuantized(converted.graph)) throw exportNeedsQuantized();
  const { asymmetric, all } = asymmetricValues(converted.graph);
  if (asymmetric > 0) {
    context.output.note(
      `${asymmetric} of ${all} activations have a zero point other than 0: ONNX Runtime takes that, TensorRT does not`,
    );
  }
  return writeOnnx(markScales(converted.graph), packageVersion());
}
