import { tensorOf } from '../ir/graph.ts';
import type { Graph, Node } from '../ir/types.ts';
import type { FloatTensor, Tf } from '../ops/define-op.ts';
import { opOf } from '../ops/index.ts';
import { cannotTrain } from './errors.ts';
import { linearLayers } from './linear-layers.ts';

/** Which inputs of an operator are weights that training changes: weights and bias of linear layers. */
const trainedInputs: readonly number[] = [1, 2];

/** Names of the constants of a float graph that training changes, in the order of the nodes. */
export function trainableNames(graph: Graph): string[] {
  const names = graph.nodes.flatMap((node) =>
    linearLayers.has(node.op) ? trainedInputs.map((position) => node.inputs[position]!) : [],
  );
  return [...new Set(names)].filter((name) => tensorOf(graph, name).data instanceof Float32Array);
}

/** Sees every computed value and may put another tensor in its place. */
export type ValueHook = (name: string, value: FloatTensor) => FloatTensor;

export interface ForwardOptions {
  readonly onValue?: ValueHook;
  /** Stands between the weights and their readers, for masks and simulated rounding. */
  readonly onWeight?: ValueHook;
}

/**
 * Evaluates a float graph so that gradients flow to `weights`; `values` holds the inputs. Gives the tensor of the
 * first output. Runs inside the caller's tidy.
 */
export function forward(
  tf: Tf,
  graph: Graph,
  weights: ReadonlyMap<string, FloatTensor>,
  inputs: ReadonlyMap<string, FloatTensor>,
  options: ForwardOptions = {},
): FloatTensor {
  const { onValue, onWeight } = options;
  const held = new Map<string, FloatTensor>();
  const trained = new Set<string>();
  const isFast = tf.getBackend() === 'wasm';
  const put = (name: string, value: FloatTensor) => held.set(name, onValue ? onValue(name, value) : value);
  for (const [name, value] of inputs) {
    put(name, value);
    if (held.get(name) !== value) trained.add(name);
  }
  for (const [name, value] of weights) held.set(name, onWeight ? onWeight(name, value) : value);
  const read = (name: string): FloatTensor => {
    const known = held.get(name);
    if (known) return known;
    const { data, type } = tensorOf(graph, name);
    if (!data) throw new Error(`value ${name} is read before it is made`);
    const made = tf.tensor(Float32Array.from(data, Number), [...type.shape]);
    held.set(name, made);
    return made;
  };
  for (const node of graph.nodes) {
    const tensors = node.inputs.map(read);
    put(node.outputs[0]!, compute(tf, node, tensors, isFast, trained.has(node.inputs[0]!)));
    const depends = node.inputs.some((name) => trained.has(name) || weights.has(name));
    if (depends) trained.add(node.outputs[0]!);
  }
  return held.get(graph.outputs[0]!.value)!;
}

function compute(
  tf: Tf,
  node: Node,
  tensors: readonly FloatTensor[],
  isFast: boolean,
  needsInputGradient: boolean,
): FloatTensor {
  const linear = isFast ? linearLayers.get(node.op) : undefined;
  if (linear) {
    const [x, weights, bias] = tensors as [FloatTensor, FloatTensor, FloatTensor];
    return linear(tf, [x, weights, bias], node.attrs, needsInputGradient);
  }
  const op = opOf(node.op);
  if (!op.float) throw cannotTrain(node.origin, node.op);
  return op.float(tf, tensors, node.attrs);
}
