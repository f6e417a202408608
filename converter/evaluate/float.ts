import { tensorOf } from '../ir/graph.ts';
import { elementCount } from '../ir/tensor.ts';
import type { Graph, Node } from '../ir/types.ts';
import type { FloatTensor, Tf } from '../ops/define-op.ts';
import { opOf } from '../ops/index.ts';
import { withBatch } from './batch.ts';
import { cannotEvaluate } from './errors.ts';
import { toGraphLayout, toUserLayout } from './ports.ts';
import { loadTf } from './tf.ts';
import { turn } from './turn.ts';

/** One array per input port: the samples one after another, each in the user's axis order. */
export type FloatBatch = readonly Float32Array[];

/** Sees each computed value of a batch; `data` holds the samples one after another. */
export type FloatObserver = (name: string, data: Float32Array) => void;

/** Puts another tensor of the same shape in the place of a computed value; may dispose the one it is given. */
export type FloatReplacer = (tf: Tf, name: string, tensor: FloatTensor) => FloatTensor;

/** Elements held at once while a batch runs; bounds memory whatever the model. */
const elementsPerBatch = 1 << 24;

/** The last node that reads each value, so that it can be freed there. */
function lastReaders(graph: Graph): Map<string, Node> {
  const last = new Map<string, Node>();
  for (const node of graph.nodes) for (const name of node.inputs) last.set(name, node);
  for (const port of graph.outputs) last.delete(port.value);
  return last;
}

class FloatRun {
  private readonly held = new Map<string, FloatTensor>();
  private readonly tf: Tf;
  private readonly graph: Graph;
  private readonly replace: FloatReplacer;

  constructor(tf: Tf, graph: Graph, replace: FloatReplacer = (_tf, _name, tensor) => tensor) {
    this.tf = tf;
    this.graph = graph;
    this.replace = replace;
    for (const value of graph.values.values()) {
      if (value.data)
        this.held.set(value.name, tf.tensor(Float32Array.from(value.data, Number), [...value.type.shape]));
    }
  }

  async run(inputs: readonly Float32Array[], observe?: FloatObserver): Promise<Float32Array[]> {
    for (const [i, port] of this.graph.inputs.entries()) {
      const { shape } = tensorOf(this.graph, port.value).type;
      this.held.set(port.value, this.replace(this.tf, port.value, this.tf.tensor(inputs[i]!, [...shape])));
      observe?.(port.value, inputs[i]!);
    }
    const last = lastReaders(this.graph);
    for (const node of this.graph.nodes) {
      this.step(node, last, observe);
      await turn();
    }
    return this.graph.outputs.map((port) => this.held.get(port.value)!.dataSync() as Float32Array);
  }

  private step(node: Node, last: ReadonlyMap<string, Node>, observe?: FloatObserver): void {
    const op = opOf(node.op);
    if (!op.float) throw cannotEvaluate(node.origin, node.op, 'float');
    const inputs = node.inputs.map((name) => this.held.get(name)!);
    const name = node.outputs[0]!;
    const result = this.tf.tidy(() => this.replace(this.tf, name, op.float!(this.tf, inputs, node.attrs)));
    this.held.set(name, result);
    observe?.(name, result.dataSync() as Float32Array);
    for (const input of new Set(node.inputs)) {
      if (last.get(input) !== node || tensorOf(this.graph, input).data) continue;
      this.held.get(input)?.dispose();
      this.held.delete(input);
    }
  }

  dispose(): void {
    for (const tensor of this.held.values()) tensor.dispose();
  }
}

function layoutBatch(graph: Graph, inputs: FloatBatch, count: number): Float32Array[] {
  return graph.inputs.map((port, i) => {
    const size = elementCount(port.shape);
    if (!port.perm) return inputs[i]!;
    const moved = new Float32Array(count * size);
    for (let n = 0; n < count; n++) {
      moved.set(toGraphLayout(port, inputs[i]!.subarray(n * size, (n + 1) * size)), n * size);
    }
    return moved;
  });
}

function chunkSize(graph: Graph, count: number): number {
  const computed = [...graph.values.values()].filter((value) => !value.data);
  const largest = Math.max(1, ...computed.map((value) => elementCount(value.type.shape)));
  return Math.max(1, Math.min(count, Math.floor(elementsPerBatch / (4 * largest))));
}

/**
 * Runs a float graph on `count` samples and returns one array per output port, samples one after another in the
 * user's axis order. `observe` sees every value, chunk by chunk, after `replace` may have changed it.
 */
export async function evaluateFloat(
  graph: Graph,
  inputs: FloatBatch,
  count: number,
  observe?: FloatObserver,
  replace?: FloatReplacer,
): Promise<Float32Array[]> {
  const tf = await loadTf();
  const moved = layoutBatch(graph, inputs, count);
  const results = graph.outputs.map((port) => new Float32Array(count * elementCount(port.shape)));
  let step = chunkSize(graph, count);
  if (step > 1 && !withBatch(graph, step)) step = 1;
  let run: { size: number; runner: FloatRun } | undefined;
  for (let first = 0; first < count; first += step) {
    const size = Math.min(step, count - first);
    if (run?.size !== size) {
      run?.runner.dispose();
      run = { size, runner: new FloatRun(tf, size === 1 ? graph : withBatch(graph, size)!, replace) };
    }
    const chunk = graph.inputs.map((port, i) => {
      const elements = elementCount(port.shape);
      return moved[i]!.subarray(first * elements, (first + size) * elements);
    });
    const outputs = await run.runner.run(chunk, observe);
    for (const [i, port] of graph.outputs.entries()) {
      const elements = elementCount(port.shape);
      for (let n = 0; n < size; n++) {
        const one = outputs[i]!.subarray(n * elements, (n + 1) * elements);
        results[i]!.set(toUserLayout(port, one), (first + n) * elements);
      }
    }
  }
  run?.runner.dispose();
  return results;
}
