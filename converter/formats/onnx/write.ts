import { tensorOf } from '../../ir/graph.ts';
import type { Graph } from '../../ir/types.ts';
import { writeMessage } from './container/write-message.ts';
import { notWritable } from './errors.ts';
import { OnnxGraphBuilder } from './write/graph-builder.ts';
import { nodeProto, valueInfo } from './write/protos.ts';
import { NodeWriter } from './write/write-nodes.ts';

/** IR version 8 came with ONNX 1.12; opset 17 is what current frameworks read and older run times run. */
const irVersion = 8;
const opset = 17;

type NodeDraft = ReturnType<typeof nodeProto>;

/** `nodes` with tensor `from` called `to`, or undefined where no node makes it. */
function renamed(nodes: readonly NodeDraft[], from: string, to: string): NodeDraft[] | undefined {
  if (!nodes.some((node) => node.output?.includes(from))) return undefined;
  const change = (name: string) => (name === from ? to : name);
  return nodes.map((node) => ({
    ...node,
    input: node.input!.map(change),
    output: node.output!.map(change),
  }));
}

function withOutputs(nodes: readonly NodeDraft[], outputs: readonly (readonly [string, string])[]) {
  const used = new Set<string>();
  return outputs.reduce<readonly NodeDraft[]>((current, [made, name]) => {
    const simple = used.has(made) ? undefined : renamed(current, made, name);
    used.add(made);
    return simple ?? [...current, nodeProto('Identity', `${name}/output`, [made], [name], {})];
  }, nodes);
}

/**
 * An ONNX file of an optimized float graph: channels first where ONNX wants it, inputs and outputs with the user's
 * own names, shapes and axis order. The same graph gives the same bytes. Throws E_ONNX_NOT_WRITABLE for what ONNX
 * (or this writer) has no form for.
 */
export function writeOnnx(graph: Graph, producerVersion: string): Uint8Array {
  const ports = [...graph.inputs, ...graph.outputs];
  for (const port of ports) {
    const { dtype } = tensorOf(graph, port.value).type;
    if (dtype !== 'float32') throw notWritable(port.name, `${dtype} values`);
  }
  const build = new OnnxGraphBuilder(ports.map((port) => port.name));
  const writer = new NodeWriter(graph, build);
  for (const port of graph.inputs) writer.addInput(port);
  for (const node of graph.nodes) writer.write(node);
  const made = graph.outputs.map((port) => [writer.output(port), port.name] as const);
  return writeMessage('ModelProto', {
    irVersion,
    producerName: 'tinyml',
    producerVersion,
    opsetImport: [{ domain: '', version: opset }],
    graph: {
      name: graph.name,
      node: withOutputs(build.nodes, made),
      initializer: build.initializers,
      input: graph.inputs.map((port) => valueInfo(port.name, 'float32', port.shape)),
      output: graph.outputs.map((port) => valueInfo(port.name, 'float32', port.shape)),
    } as never,
  });
}
