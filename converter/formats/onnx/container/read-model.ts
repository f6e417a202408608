import { foreignFile, noGraph } from '../errors.ts';
import { foreignKind } from '../foreign-file.ts';
import { readMessage } from './read-message.ts';
import type { GraphProto, ModelProto } from './schema.ts';

export type ModelWithGraph = ModelProto & { readonly graph: GraphProto };

/**
 * The model in a file. Throws E_ONNX_NOT_ONNX where the first bytes tell what the file really is, E_ONNX_DAMAGED
 * where they do not and the file cannot be read.
 */
export function readModel(bytes: Uint8Array): ModelWithGraph {
  const foreign = foreignKind(bytes);
  if (foreign !== undefined) throw foreignFile(foreign);
  const model = readMessage('ModelProto', bytes);
  if (!model.graph) throw noGraph();
  return model as ModelWithGraph;
}
