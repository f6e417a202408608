import { tensorOf } from '../ir/graph.ts';
import { allocate, byteCount, elementCount } from '../ir/tensor.ts';
import type { Graph, Node, TensorData } from '../ir/types.ts';
import { atNode } from '../ops/at-node.ts';
import { callOf } from '../ops/call-of.ts';
import type { IntegerKernel } from '../ops/define-op.ts';
import { opOf } from '../ops/index.ts';
import { cannotEvaluate, wrongInputBytes } from './errors.ts';

/** Sees the result of each node right after it was computed; the data is reused by later runs. */
export type LayerObserver = (node: Node, index: number, output: TensorData) => void;

export interface IntegerOptions {
  readonly onLayer?: LayerObserver;
}

/** A quantized graph made ready to run many times. */
export interface IntegerModel {
  /** One array per input port, in the layout of the graph's value; the result has fresh arrays, one per output. */
  run(inputs: readonly TensorData[], options?: IntegerOptions): TensorData[];
}

interface Step {
  readonly node: Node;
  readonly kernel: IntegerKernel;
  readonly inputs: readonly TensorData[];
  readonly outputs: readonly TensorData[];
}

function prepareStep(graph: Graph, node: Node, storage: Map<string, TensorData>): Step {
  const op = opOf(node.op);
  const call = callOf(graph, node);
  if (!op.integer) throw cannotEvaluate(node.origin, node.op, call.inputs[0]!.dtype);
  for (const [i, name] of node.outputs.entries()) {
    const { dtype, shape } = call.outputs[i]!;
    storage.set(name, allocate(dtype, elementCount(shape)));
  }
  return {
    node,
    kernel: atNode(node.origin, () => op.integer!(call)),
    inputs: node.inputs.map((name) => storage.get(name)!),
    outputs: node.outputs.map((name) => storage.get(name)!),
  };
}

/**
 * Prepares the bit-exact reference evaluation of a quantized graph, to TensorFlow Lite's default kernels'
 * semantics. Throws TinymlError for a node that has no integer form.
 */
export function prepareInteger(graph: Graph): IntegerModel {
  const storage = new Map<string, TensorData>();
  for (const value of graph.values.values()) if (value.data) storage.set(value.name, value.data);
  for (const port of graph.inputs) {
    const { dtype, shape } = tensorOf(graph, port.value).type;
    storage.set(port.value, allocate(dtype, elementCount(shape)));
  }
  const steps = graph.nodes.map((node) => prepareStep(graph, node, storage));
  return {
    run(inputs, { onLayer } = {}) {
      for (const [i, port] of graph.inputs.entries()) {
        const target = storage.get(port.value)!;
        const source = inputs[i];
        if (source?.constructor !== target.constructor || source.length !== target.length) {
          throw wrongInputBytes(
            port.name,
            byteCount(tensorOf(graph, port.value).type),
            source?.byteLength ?? 0,
          );
        }
        target.set(source as never);
      }
      for (const [i, step] of steps.entries()) {
        step.kernel(step.inputs, step.outputs);
        onLayer?.(step.node, i, step.outputs[0]!);
      }
      return graph.outputs.map((port) => storage.get(port.value)!.slice());
    },
  };
}

/** Runs a quantized graph once; see `prepareInteger` for many runs. */
export function evaluateInteger(
  graph: Graph,
  inputs: readonly TensorData[],
  options: IntegerOptions = {},
): TensorData[] {
  return prepareInteger(graph).run(inputs, options);
}
