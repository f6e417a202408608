import { tensorOf } from '../ir/graph.ts';
import { Names } from '../ir/names.ts';
import { sameQuantization } from '../ir/tensor.ts';
import type { Graph, Node, Quantization, Value } from '../ir/types.ts';
import type { QuantizationRule, WeightRule } from '../ops/define-op.ts';
import { opOf } from '../ops/index.ts';
import type { Ranges } from './calibrate.ts';
import { cannotQuantize, weightsNotConstant } from './errors.ts';
import type { Precision, Precisions } from './precision.ts';
import type { Range } from './range.ts';
import {
  activationQuantization,
  quantizeActivations,
  quantizeWeights,
  scalesOfStored,
  wideQuantization,
} from './scheme.ts';

export interface QuantizeOptions {
  /** A weight scale for each unit of a fully connected layer, where the target's kernels take that. */
  readonly perChannelFullyConnected: boolean;
  /** One weight scale for every layer, whatever its kind. */
  readonly perTensor?: boolean;
  /** What each layer computes in, by the value that it makes; int8 where it says nothing. */
  readonly precisions?: Precisions;
  /** Values made by layers whose weights are stored in 4 bits. */
  readonly packed?: ReadonlySet<string>;
  /** Scales that values bring along, by name; they need no range. */
  readonly given?: ReadonlyMap<string, Quantization>;
  /** Scales that weights were stored with, one list for each of the model's weight tensors. */
  readonly storedScales?: readonly (readonly number[])[];
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

/** A value in another type or scale than its maker gives it. */
interface Wanted {
  readonly precision: Precision;
  /** The scale that it must have; any where undefined. */
  readonly shared?: Quantization | undefined;
}

/** Collects the integer graph node by node. */
class Quantizer {
  private readonly values = new Map<string, Value>();
  private readonly nodes: Node[] = [];
  private readonly converted = new Map<string, string>();
  private readonly graph: Graph;
  private readonly names: Names;
  private readonly ranges: Ranges;
  private readonly options: QuantizeOptions;
  private readonly precisions: Precisions;
  private readonly forced: ReadonlyMap<string, Quantization>;

  constructor(graph: Graph, ranges: Ranges, options: QuantizeOptions) {
    this.graph = graph;
    this.ranges = ranges;
    this.names = new Names(computedNames(graph));
    this.options = options;
    this.precisions = options.precisions ?? new Map();
    const { given } = options;
    this.forced = given ? new Map() : sharedScales(graph, ranges, (name) => this.precisionOf(name));
  }

  run(): Graph {
    for (const port of this.graph.inputs) this.declare(port.value, this.calibrated(port.value));
    for (const node of this.graph.nodes) this.quantize(node);
    return { ...this.graph, nodes: this.nodes, values: this.values };
  }

  private precisionOf(name: string): Precision {
    return this.precisions.get(name) ?? 'int8';
  }

  private quantize(node: Node): void {
    const output = node.outputs[0]!;
    const precision = this.precisionOf(output);
    if (precision === 'float32') {
      this.keep(node);
      return;
    }
    const rule = ruleOf(node);
    if (rule.output === 'calibrated' && rule.weights) {
      this.nodes.push({ ...node, inputs: this.weighted(node, rule.weights, precision) });
      this.declare(output, this.calibrated(output));
      return;
    }
    const shared = rule.output === 'shared' ? this.calibrated(output) : undefined;
    const inputs = node.inputs.map((name) => this.operand(name, { precision, shared }, node));
    const quant = shared ?? this.resultOf(rule, output, inputs);
    const brought = this.options.given?.get(output);
    if (!brought || sameQuantization(brought, quant)) {
      this.nodes.push({ ...node, inputs });
      this.declare(output, quant);
      return;
    }
    this.rescaled(node, inputs, quant, brought);
  }

  /** A result whose scale follows from its operator, then brought to the scale that the model wants for it. */
  private rescaled(node: Node, inputs: readonly string[], own: Quantization, wanted: Quantization): void {
    const output = node.outputs[0]!;
    const before = this.names.fresh(`${output}/own`);
    const { shape } = tensorOf(this.graph, output).type;
    const dtype = this.precisionOf(output);
    this.values.set(before, { name: before, type: { dtype, shape, quant: own } });
    this.nodes.push({ ...node, inputs, outputs: [before] });
    const attrs = { dtype };
    this.nodes.push({ op: 'quantize', inputs: [before], outputs: [output], attrs, origin: node.origin });
    this.declare(output, wanted);
  }

  /** A layer that goes on computing with real numbers. */
  private keep(node: Node): void {
    const inputs = node.inputs.map((name) => {
      const value = tensorOf(this.graph, name);
      if (!value.data) return this.operand(name, { precision: 'float32' }, node);
      const own = this.names.fresh(value.name);
      this.values.set(own, { ...value, name: own });
      return own;
    });
    this.nodes.push({ ...node, inputs });
    this.declare(node.outputs[0]!, undefined);
  }

  private resultOf(rule: QuantizationRule, output: string, inputs: readonly string[]): Quantization {
    if (rule.output === 'fixed') {
      const wide = this.precisionOf(output) === 'int16';
      return wide ? fixedWide : { scale: [rule.scale], zeroPoint: [rule.zeroPoint] };
    }
    if (rule.output === 'same') return this.values.get(inputs[0]!)!.type.quant!;
    return this.calibrated(output)!;
  }

  private calibrated(name: string): Quantization | undefined {
    const brought = this.options.given?.get(name) ?? this.forced.get(name);
    return brought ?? quantizationFor(this.ranges.get(name)!, this.precisionOf(name));
  }

  private declare(name: string, quant: Quantization | undefined): void {
    const { shape } = tensorOf(this.graph, name).type;
    const dtype = this.precisionOf(name);
    this.values.set(name, { name, type: { dtype, shape, ...(quant ? { quant } : {}) } });
  }

  /** An input that is no weight: an activation, brought to another type or scale if need be, or a constant. */
  private operand(name: string, wanted: Wanted, node: Node): string {
    const value = tensorOf(this.graph, name);
    if (value.data) return this.constant(value, wanted);
    const { precision, shared } = wanted;
    const held = this.values.get(name)!.type;
    if (held.dtype === precision && (!shared || sameQuantization(held.quant, shared))) return name;
    const quant =
      precision === 'float32' ? undefined : (shared ?? quantizationFor(this.ranges.get(name)!, precision));
    const key = `${name} ${precision} ${quant?.scale[0]} ${quant?.zeroPoint[0]}`;
    const known = this.converted.get(key);
    if (known) return known;
    const moved = this.names.fresh(`${name}/rescaled`);
    this.nodes.push({
      op: quant ? 'quantize' : 'dequantize',
      inputs: [name],
      outputs: [moved],
      attrs: quant ? { dtype: precision } : {},
      origin: node.origin,
    });
    const type = { dtype: precision, shape: value.type.shape, ...(quant ? { quant } : {}) };
    this.values.set(moved, { name: moved, type });
    this.converted.set(key, moved);
    return moved;
  }

  private constant(value: Value, { precision, shared }: Wanted): string {
    const data = value.data as Float32Array;
    const range = data.reduce((r, x) => ({ min: Math.min(r.min, x), max: Math.max(r.max, x) }), {
      min: 0,
      max: 0,
    });
    const quant = shared ?? quantizationFor(range, precision)!;
    const name = this.names.fresh(value.name);
    const type = { dtype: precision, shape: value.type.shape, quant };
    this.values.set(name, { name, type, data: quantizeActivations(data, type) });
    return name;
  }

  private weighted(node: Node, rule: WeightRule, precision: Precision): string[] {
    const input = this.operand(node.inputs[0]!, { precision }, node);
    const [weights, bias] = [
      tensorOf(this.graph, node.inputs[rule.weights]!),
      tensorOf(this.graph, node.inputs[rule.bias]!),
    ];
    if (!weights.data || !bias.data) throw weightsNotConstant(node.origin, node.op);
    const scale = this.values.get(input)!.type.quant!.scale[0]!;
    const { perChannelFullyConnected, perTensor = false } = this.options;
    const perChannel = !perTensor && (node.op !== 'fullyConnected' || perChannelFullyConnected);
    const stored = scalesOfStored(weights, rule.axis, this.options.storedScales ?? []);
    const made = quantizeWeights(weights, bias, scale, rule.axis, perChannel, {
      wide: precision === 'int16',
      bits: this.options.packed?.has(node.outputs[0]!) && precision === 'int8' ? 4 : 8,
      ...(stored ? { scales: stored } : {}),
    });
    const names = [this.names.fresh(weights.name), this.names.fresh(bias.name)] as const;
    this.values.set(names[0], { name: names[0], ...made.weights });
    this.values.set(names[1], { name: names[1], ...made.bias });
    return [input, ...names];
  }
}

/** Results of softmax and its like on int16: 0 to 1 in 15 bits. */
const fixedWide: Quantization = { scale: [1 / 32_768], zeroPoint: [0] };

function quantizationFor(range: Range, precision: Precision): Quantization | undefined {
  if (precision === 'float32') return undefined;
  return precision === 'int16' ? wideQuantization(range) : activationQuantization(range);
}

/**
 * Scales that producers can take over from the operator that needs all its inputs alike, so that no requantization
 * is needed there: the producer's own scale is free, of the same precision, and nobody else reads its result.
 */
function sharedScales(
  graph: Graph,
  ranges: Ranges,
  precisionOf: (name: string) => Precision,
): Map<string, Quantization> {
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
    const result = node.outputs[0]!;
    const precision = precisionOf(result);
    const quant = quantizationFor(ranges.get(result)!, precision);
    if (!quant) continue;
    for (const name of node.inputs) {
      const alike = precisionOf(name) === precision;
      if (alike && free.has(name) && readers.get(name) === 1 && !kept.has(name)) forced.set(name, quant);
    }
  }
  return forced;
}

/**
 * The integer form of a float graph by TFLite's rules. Activations keep their names, so that layers of both graphs can
 * be compared; constants are made anew for each use.
 */
export function quantizeGraph(graph: Graph, ranges: Ranges, options: QuantizeOptions): Graph {
  return new Quantizer(graph, ranges, options).run();
}
