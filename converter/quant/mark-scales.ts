import { tensorOf } from '../ir/graph.ts';
import { Names } from '../ir/names.ts';
import type { Graph, Node, Quantization, Value } from '../ir/types.ts';
import { opOf } from '../ops/index.ts';
import { cannotMark } from './errors.ts';
import { linearLayer, realBias } from './linear-layer.ts';

/** Builds the marked graph node by node. */
class Marker {
  private readonly values = new Map<string, Value>();
  private readonly nodes: Node[] = [];
  private readonly graph: Graph;
  private readonly names: Names;
  /** Real values by the name of the stored ones. */
  private readonly real = new Map<string, string>();

  constructor(graph: Graph) {
    this.graph = graph;
    this.names = new Names(graph.values.keys());
  }

  run(): Graph {
    for (const port of this.graph.inputs) {
      this.declare(port.value);
      this.mark(port.value, port.value, port.name);
    }
    for (const node of this.graph.nodes) this.node(node);
    const outputs = this.graph.outputs.map((port) => ({ ...port, value: this.real.get(port.value)! }));
    return { ...this.graph, nodes: this.nodes, values: this.values, outputs };
  }

  private declare(name: string, like = name): void {
    const { shape } = tensorOf(this.graph, like).type;
    this.values.set(name, { name, type: { dtype: 'float32', shape } });
  }

  private node(node: Node): void {
    const output = node.outputs[0]!;
    const { dtype } = tensorOf(this.graph, output).type;
    if (dtype !== 'int8' && dtype !== 'float32') throw cannotMark(node.origin, dtype);
    if (node.op === 'quantize' || node.op === 'dequantize') {
      this.mark(this.real.get(node.inputs[0]!)!, output, node.origin);
      return;
    }
    this.declare(output);
    this.real.set(output, output);
    this.nodes.push({ ...node, inputs: this.inputs(node) });
    if (opOf(node.op).quantize?.output !== 'same') this.mark(output, output, node.origin);
  }

  private inputs(node: Node): string[] {
    const layer = linearLayer(this.graph, node);
    return node.inputs.map((name) => {
      const value = tensorOf(this.graph, name);
      if (!value.data) return this.real.get(name)!;
      if (layer?.bias.name !== name) return this.keep(value);
      const { shape } = value.type;
      return this.keep({ ...value, type: { dtype: 'float32', shape }, data: realBias(layer) });
    });
  }

  private keep(value: Value): string {
    this.values.set(value.name, value);
    return value.name;
  }

  /** Puts the mark of `stored` behind the real value `from`. */
  private mark(from: string, stored: string, origin: string): void {
    const { quant } = tensorOf(this.graph, stored).type;
    if (!quant) {
      this.real.set(stored, from);
      return;
    }
    const marked = this.names.fresh(`${stored}/stored`);
    this.declare(marked, stored);
    const [scale, zeroPoint] = [quant.scale[0]!, quant.zeroPoint[0]!];
    const attrs = { scale, zeroPoint, dtype: 'int8' };
    this.nodes.push({ op: 'fakeQuantize', inputs: [from], outputs: [marked], attrs, origin });
    this.real.set(stored, marked);
  }
}

/**
 * An int8 graph as real numbers with marks of how each value is stored, the opposite of `takeScales`: weights stay
 * int8 with their scales, biases become real. Throws E_QUANTIZED_EXPORT for 16-bit layers.
 */
export function markScales(graph: Graph): Graph {
  return new Marker(graph).run();
}

/** Activations whose zero point is not 0, and how many there are, which some run times refuse. */
export function asymmetricValues(graph: Graph): { readonly asymmetric: number; readonly all: number } {
  const quants = [...graph.values.values()]
    .filter((value) => !value.data && value.type.quant)
    .map((value) => value.type.quant as Quantization);
  return { asymmetric: quants.filter((quant) => quant.zeroPoint[0] !== 0).length, all: quants.length };
}
