import type { Graph } from '../ir/types.ts';
import type { FloatTensor, Tf } from '../ops/define-op.ts';
import { opOf } from '../ops/index.ts';
import type { Range } from '../quant/range.ts';
import type { ForwardOptions } from './forward.ts';
import { roundActivation, roundWeights } from './simulated-rounding.ts';

/** How the model will be stored, as far as training simulates it. */
export interface StorageForm {
  /** One weight scale for a whole layer. */
  readonly perTensor: boolean;
  readonly weightBits: number;
}

const factorPrefix = 'range factors of ';

/** Values with a range of their own, by TFLite's rules; others take over that of their input. */
function rangedValues(graph: Graph, ranges: ReadonlyMap<string, Range>): string[] {
  const made = graph.nodes
    .filter((node) => {
      const rule = opOf(node.op).quantize?.output;
      return rule === 'calibrated' || rule === 'shared';
    })
    .map((node) => node.outputs[0]!);
  return [...graph.inputs.map((port) => port.value), ...made].filter((name) => ranges.has(name));
}

/** Axis along which the weights of a layer may have different scales, by the name of the weights. */
function weightAxes(graph: Graph): Map<string, number> {
  const axes = new Map<string, number>();
  for (const node of graph.nodes) {
    const rule = opOf(node.op).quantize;
    if (rule?.output === 'calibrated' && rule.weights)
      axes.set(node.inputs[rule.weights.weights]!, rule.weights.axis);
  }
  return axes;
}

/** Simulation of int8 storage during training: what to learn beside the weights, and where rounding comes in. */
export interface Simulation {
  /** Ends of ranges, as factors of the calibrated ones; trained like weights. */
  readonly extra: ReadonlyMap<string, Float32Array>;
  forward(tf: Tf, tensors: ReadonlyMap<string, FloatTensor>): ForwardOptions;
  /** The ranges that factors stand for. */
  learned(factors: ReadonlyMap<string, Float32Array>): Map<string, Range>;
}

/** Simulated storage of every activation that int8 conversion stores with a range of its own, and of all weights. */
export function simulateStorage(
  graph: Graph,
  ranges: ReadonlyMap<string, Range>,
  form: StorageForm,
): Simulation {
  const axes = weightAxes(graph);
  const ranged = new Set(rangedValues(graph, ranges));
  const key = (name: string) => factorPrefix + name;
  return {
    extra: new Map([...ranged].map((name) => [key(name), Float32Array.of(1, 1)])),
    forward: (tf, tensors) => ({
      onValue: (name, value) => {
        const factors = ranged.has(name) ? tensors.get(key(name)) : undefined;
        return factors ? roundActivation(tf, value, factors, ranges.get(name)!) : value;
      },
      onWeight: (name, value) => {
        const axis = axes.get(name);
        return axis === undefined ? value : roundWeights(tf, value, axis, !form.perTensor, form.weightBits);
      },
    }),
    learned: (factors) =>
      new Map(
        [...ranged].map((name) => {
          const { min, max } = ranges.get(name)!;
          const [a, b] = factors.get(key(name))!;
          return [name, { min: Math.min(0, min * a!), max: Math.max(0, max * b!) }];
        }),
      ),
  };
}
