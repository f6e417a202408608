import { tensorOf } from '../ir/graph.ts';
import type { Graph, Node, Quantization, Value } from '../ir/types.ts';
import { opOf } from '../ops/index.ts';
import { partlyQuantized } from './errors.ts';
import { quantizeGraph } from './quantize-graph.ts';
import { activationQuantization } from './scheme.ts';

/** Whether a graph brings scales along: real numbers, with marks of how each value is stored. */
export function bringsScales(graph: Graph): boolean {
  return graph.nodes.some((node) => node.op === 'fakeQuantize');
}

function quantizationOf({ attrs }: Node): Quantization {
  return { scale: [Math.fround(attrs['scale'] as number)], zeroPoint: [attrs['zeroPoint'] as number] };
}

interface Marked {
  readonly graph: Graph;
  /** How values are stored, by name. */
  readonly given: ReadonlyMap<string, Quantization>;
}

/**
 * The graph without its marks, and what they say. The first mark of a value counts for the value itself; another one
 * that differs from it becomes a rescaling.
 */
function withoutMarks(graph: Graph): Marked {
  const given = new Map<string, Quantization>();
  const meaning = new Map<string, string>();
  const real = (name: string) => meaning.get(name) ?? name;
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    const inputs = node.inputs.map(real);
    if (node.op !== 'fakeQuantize') {
      nodes.push({ ...node, inputs });
      continue;
    }
    const quant = quantizationOf(node);
    const [input, output] = [inputs[0]!, node.outputs[0]!];
    const known = given.get(input);
    if (!known) given.set(input, quant);
    if (!known || (known.scale[0] === quant.scale[0] && known.zeroPoint[0] === quant.zeroPoint[0])) {
      meaning.set(output, input);
      continue;
    }
    const { shape } = tensorOf(graph, output).type;
    nodes.push({ op: 'reshape', inputs: [input], outputs: [output], attrs: { shape }, origin: node.origin });
    given.set(output, quant);
  }
  const outputs = graph.outputs.map((port) => ({ ...port, value: real(port.value) }));
  const values = new Map<string, Value>([...graph.values].filter(([name]) => !meaning.has(name)));
  return { graph: { ...graph, nodes, values, outputs }, given };
}

/** Where increasing functions take the ends of their input. */
const increasing: Readonly<Record<string, (x: number, attrs: Node['attrs']) => number>> = {
  elu: (x) => (x < 0 ? Math.expm1(x) : x),
  leakyRelu: (x, attrs) => (x < 0 ? x * (attrs['alpha'] as number) : x),
  relu: (x) => Math.max(0, x),
  relu6: (x) => Math.max(0, Math.min(6, x)),
  reluN1To1: (x) => Math.max(-1, Math.min(1, x)),
};

/**
 * Scales for operators that exporters leave in float between two scales (ONNX Runtime does so with Elu): the ends of
 * the input's stored range give those of the result.
 */
function withDerived({ graph, given }: Marked): Marked {
  const all = new Map(given);
  for (const node of graph.nodes) {
    const [input, output] = [node.inputs[0]!, node.outputs[0]!];
    const from = all.get(input);
    if (!from || all.has(output)) continue;
    if (opOf(node.op).quantize?.output === 'same') all.set(output, from);
    const real = increasing[node.op];
    if (!real) continue;
    const at = (stored: number) => real((stored - from.zeroPoint[0]!) * from.scale[0]!, node.attrs);
    all.set(output, activationQuantization({ min: Math.min(0, at(-128)), max: Math.max(0, at(127)) }));
  }
  return { graph, given: all };
}

/** Every value that needs a scale of its own must bring one. */
function requireScales({ graph, given }: Marked): void {
  const missing = [
    ...graph.inputs.filter((port) => !given.has(port.value)).map((port) => port.name),
    ...graph.nodes
      .filter((node) => {
        const rule = opOf(node.op).quantize?.output;
        return (rule === 'calibrated' || rule === 'shared') && !given.has(node.outputs[0]!);
      })
      .map((node) => node.origin),
  ];
  if (missing.length > 0) throw partlyQuantized([...new Set(missing)]);
}

/**
 * The integer graph of a model that came quantized as real numbers with marks, with exactly the scales that it
 * brings. `storedScales` are those of its weights, one list for each weight tensor of the file. Throws
 * E_QUANTIZED_PARTLY where a value has none.
 */
export function takeScales(source: Graph, storedScales: readonly (readonly number[])[]): Graph {
  const marked = withDerived(withoutMarks(source));
  requireScales(marked);
  const { graph, given } = marked;
  return quantizeGraph(graph, new Map(), { perChannelFullyConnected: true, given, storedScales });
}
