import { readMessage } from '../../converter/formats/onnx/container/read-message.ts';
import { type Draft, encode } from '../formats/onnx/encode.ts';

type Model = Draft & { graph: Draft & { initializer: Draft[] } };

function decode(bytes: Uint8Array): Model {
  return readMessage('ModelProto', bytes) as unknown as Model;
}

/** An ONNX model with the weights of all its tensors in a file beside it. */
export function withExternalWeights(
  bytes: Uint8Array,
  location: string,
): { model: Uint8Array; weights: Uint8Array } {
  const model = decode(bytes);
  const parts: Uint8Array[] = [];
  let offset = 0;
  const initializer = model.graph.initializer.map((tensor) => {
    const raw = tensor['rawData'] as Uint8Array | undefined;
    if (!raw || raw.length === 0) return tensor;
    parts.push(raw);
    const entries = { location, offset: String(offset), length: String(raw.length) };
    offset += raw.length;
    const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
    return { ...tensor, rawData: undefined, dataLocation: 1, externalData };
  });
  return {
    model: encode('ModelProto', { ...model, graph: { ...model.graph, initializer } }),
    weights: Buffer.concat(parts),
  };
}

/** Fields of ONNX that hold the name of a value: all uses of one must change alike. */
const nameFields: ReadonlySet<string> = new Set([
  'name',
  'input',
  'output',
  'graphName',
  'docString',
  'producerName',
]);

/** An ONNX model with another text in every name of its graph, nodes, values and of who made it. */
export function withNames(bytes: Uint8Array, rename: (name: string) => string): Uint8Array {
  // Attributes are known by their names.
  const change = (value: unknown, isName: boolean): unknown => {
    if (typeof value === 'string') return isName && value !== '' ? rename(value) : value;
    if (Array.isArray(value)) return value.map((item) => change(item, isName));
    if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value)) return value;
    const entries = Object.entries(value).map(([key, item]) => [
      key,
      key === 'attribute' ? item : change(item, nameFields.has(key)),
    ]);
    return Object.fromEntries(entries);
  };
  return encode('ModelProto', change(decode(bytes), false) as Draft);
}
