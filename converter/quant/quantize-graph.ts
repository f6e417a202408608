import { tensorOf } from '../ir/graph.ts';
import { Names } from '../ir/names.ts';
import { sameQuantization } from '../ir/tensor.ts';
import type { Graph, Node, Quantization, Value } from '../ir/types.ts';
import type { QuantizationRule, WeightRule } from '../ops/define-op.ts';
import { opOf } from '../ops/index.ts';
import type { Ranges } from './calibrate.ts';
import { cannotQuantize, weightsNotConstant } from './errors.ts';
import { activationQuantization, quantizeToInt8, quantizeWeights } from './scheme.ts';

export interface QuantizeOptions {
  /** A weight scale for each unit of a fully connected layer, where the target's kernels take that. */
  readonly perChannelFullyConnected: boolean;
  /** One weight scale for every layer, whatever its kind. */
  readonly perTensor?: boolean;
}

function ruleOf(node: Node): QuantizationRule {
  const rule = opOf(node.op).quantize;
  if (!rule) throw cannotQuantize(node.origin, node.op);
  return rule;
}

/** Names that the integer graph keeps: those of everything that is no constant. */
function computedNames(graph: Graph): string[] {
  return [...graph.values.values()].filter((value) => !value.data).map((value) => value.name);
}

/** Collects the integer graph node by node. */
class Quantizer {
  private readonly values = new Map<string, Value>();
  private readonly nodes: Node[] = [];
  private readonly graph: Graph;
  private readonly names: Names;
  private readonly ranges: Ranges;
  private readonly options: QuantizeOptions;
  private readonly forced: ReadonlyMap<string, Quantization>;

  constructor(graph: Graph, ranges: Ranges, options: QuantizeOptions) {
    this.graph = graph;
    this.ranges = ranges;
    this.names = new Names(computedNames(graph));
    this.options = options;
    this.forced = sharedScales(graph, ranges);
  }

  run(): Graph {
    for (const port of this.graph.inputs) this.declare(port.value, this.calibrated(port.value));
    for (const node of this.graph.nodes) this.quantize(node);
    return { ...this.graph, nodes: this.nodes, values: this.values };
  }

  private quantize(node: Node): void {
    const rule = ruleOf(node);
    const output = node.outputs[0]!;
    if (rule.output === 'calibrated' && rule.weights) {
      this.nodes.push({ ...node, inputs: this.weighted(node, rule.weights) });
      this.declare(output, this.calibrated(output));
      return;
    }
    const shared = rule.output === 'shared' ? this.calibrated(output) : undefined;
    const inputs = node.inputs.map((name) => this.operand(name, shared, node));
    this.nodes.push({ ...node, inputs });
    this.declare(output, shared ?? this.resultOf(rule, output, inputs));
  }

  private resultOf(rule: QuantizationRule, output: string, inputs: readonly string[]): Quantization {
    if (rule.output === 'fixed') return { scale: [rule.scale], zeroPoint: [rule.zeroPoint] };
    if (rule.output === 'same') return this.values.get(inputs[0]!)!.type.quant!;
    return this.calibrated(output);
  }

  private calibrated(name: string): Quantization {
    return this.forced.get(name) ?? activationQuantization(this.ranges.get(name)!);
  }

  private declare(name: string, quant: Quantization): void {
    const { type } = tensorOf(this.graph, name);
    this.values.set(name, { name, type: { dtype: 'int8', shape: type.shape, quant } });
  }

  /** An input that is no weight: an activation, brought to the shared scale if need be, or a constant. */
  private operand(name: string, shared: Quantization | undefined, node: Node): string {
    const value = tensorOf(this.graph, name);
    if (value.data) return this.constant(value, shared);
    const held = this.values.get(name)!.type.quant!;
    if (!shared || sameQuantization(held, shared)) return name;
    const moved = this.names.fresh(`${name}/rescaled`);
    this.nodes.push({
      op: 'quantize',
      inputs: [name],
      outputs: [moved],
      attrs: { dtype: 'int8' },
      origin: node.origin,
    });
    this.values.set(moved, { name: moved, type: { dtype: 'int8', shape: value.type.shape, quant: shared } });
    return moved;
  }

  private constant(value: Value, shared: Quantization | undefined): string {
    const data = value.data as Float32Array;
    const range = data.reduce((r, x) => ({ min: Math.min(r.min, x), max: Math.max(r.max, x) }), {
      min: 0,
      max: 0,
    });
    const quant = shared ?? activationQuantization(range);
    const name = this.names.fresh(value.name);
    this.values.set(name, {
      name,
      type: { dtype: 'int8', shape: value.type.shape, quant },
      data: quantizeToInt8(data, quant),
    });
    return name;
  }

  private weighted(node: Node, rule: WeightRule): string[] {
    const input = node.inputs[0]!;
    const [weights, bias] = [
      tensorOf(this.graph, node.inputs[rule.weights]!),
      tensorOf(this.graph, node.inputs[rule.bias]!),
    ];
    if (!weights.data || !bias.data) throw weightsNotConstant(node.origin, node.op);
    const scale = this.values.get(input)!.type.quant!.scale[0]!;
    const { perChannelFullyConnected, perTensor = false } = this.options;
    const perChannel = !perTensor && (node.op !== 'fullyConnected' || perChannelFullyConnected);
    const made = quantizeWeights(weights, bias, scale, rule.axis, perChannel);
    const names = [this.names.fresh(weights.name), this.names.fresh(bias.name)] as const;
    this.values.set(names[0], { name: names[0], ...made.weights });
    this.values.set(names[1], { name: names[1], ...made.bias });
    return [input, ...names];
  }
}

/**
 * Scales that producers can take over from the operator that needs all its inputs alike, so that no requantization
 * is needed there: the producer's own scale is free and nobody else reads its result.
 */
function sharedScales(graph: Graph, ranges: Ranges): Map<string, Quantization> {
  const readers = new Map<string, number>();
  for (const node of graph.nodes)
    for (const name of node.inputs) readers.set(name, (readers.get(name) ?? 0) + 1);
  const free = new Set(
    graph.nodes
      .filter((node) => opOf(node.op).quantize?.output === 'calibrated')
      .map((node) => node.outputs[0]!),
  );
  const kept = new Set(graph.outputs.map((port) => port.value));
  const forced = new Map<string, Quantization>();
  for (const node of graph.nodes) {
    if (opOf(node.op).quantize?.output !== 'shared') continue;
    const quant = activationQuantization(ranges.get(node.outputs[0]!)!);
    for (const name of node.inputs) {
      if (free.has(name) && readers.get(name) === 1 && !kept.has(name)) forced.set(name, quant);
    }
  }
  return forced;
}

/**
 * The int8 form of a float graph by TFLite's rules. Activations keep their names, so that layers of both graphs can
 * be compared; constants are made anew for each use.
 */
export function quantizeGraph(graph: Graph, ranges: Ranges, options: QuantizeOptions): Graph {
  return new Quantizer(graph, ranges, options).run();
}
