import { evaluateFloat, type FloatBatch } from '../../evaluate/float.ts';
import { tensorOf } from '../../ir/graph.ts';
import type { Graph, Node } from '../../ir/types.ts';
import { opOf } from '../../ops/index.ts';
import type { CalibrationData, QuantizedModel } from '../quantize-model.ts';
import { signalToNoise } from '../signal-to-noise.ts';
import { evaluatePartly } from './evaluate-partly.ts';
import { type Cause, findCauses } from './find-causes.ts';

/** Samples on which each layer is judged, and the integer graph is compared with float. */
const judgedSamples = 500;
const comparedSamples = 8;
/** Layers for which it is also measured what leaving them in float alone would win. */
const spared = 5;
/** Highest ratio reported. */
const exactDb = 200;

/** Labelled data to judge by: its inputs, and points lost against float for given outputs. */
export interface Judge {
  readonly inputs: FloatBatch;
  readonly count: number;
  /** Points lost by the outputs of the first `count` samples. */
  lost(outputs: Float32Array, count: number): number;
}

/** What quantization does to one layer. */
export interface LayerDiagnosis {
  readonly name: string;
  readonly op: string;
  /** At the layer's own result, with everything before it quantized too. */
  readonly sqnrDb: number | null;
  /** At the model's result, with only this layer quantized. */
  readonly aloneDb: number;
  /** Points lost with only this layer quantized; null without labels. */
  readonly cost: number | null;
  /** Points lost with every layer but this quantized; null without labels and for layers that cost little. */
  readonly spared: number | null;
  readonly causes: readonly Cause[];
}

/** A result with a scale of its own: the unit that is quantized or not. */
interface Suspect {
  readonly value: string;
  readonly name: string;
  readonly op: string;
  readonly node: Node | undefined;
}

function suspectsOf(float: Graph, integer: Graph): Suspect[] {
  const isOwn = (node: Node) => opOf(node.op).quantize?.output !== 'same';
  const inputs = float.inputs.map((port) => {
    return { value: port.value, name: port.name, op: 'input', node: undefined };
  });
  const layers = float.nodes.filter(isOwn).map((node) => {
    return { value: node.outputs[0]!, name: node.origin, op: node.op, node };
  });
  return [...inputs, ...layers].filter(({ value }) => integer.values.get(value)?.type.quant);
}

/** Greatest magnitude in each channel (last axis) of every value. */
async function channelReach(float: Graph, { inputs, count }: CalibrationData) {
  const reach = new Map<string, Float64Array>();
  await evaluateFloat(float, inputs, count, (name, data) => {
    const channels = tensorOf(float, name).type.shape.at(-1) ?? 1;
    const most = reach.get(name) ?? new Float64Array(channels);
    for (let i = 0; i < data.length; i++) {
      const magnitude = Math.abs(data[i]!);
      if (magnitude > most[i % channels]!) most[i % channels] = magnitude;
    }
    reach.set(name, most);
  });
  return reach;
}

function decibels(reference: Float32Array, given: Float32Array): number {
  let [signal, noise] = [0, 0];
  for (let i = 0; i < reference.length; i++) {
    signal += reference[i]! ** 2;
    noise += (reference[i]! - given[i]!) ** 2;
  }
  if (noise === 0) return exactDb;
  return signal === 0 ? 0 : Math.min(exactDb, 10 * Math.log10(signal / noise));
}

/** First samples of each input. */
function firstSamples(inputs: FloatBatch, count: number, taken: number): FloatBatch {
  return inputs.map((data) => data.subarray(0, (data.length / count) * taken));
}

function byDamage(a: LayerDiagnosis, b: LayerDiagnosis): number {
  return (b.cost ?? 0) - (a.cost ?? 0) || a.aloneDb - b.aloneDb;
}

export interface DiagnoseOptions {
  readonly judge?: Judge;
  /** Told how far it is. */
  readonly onLayer?: (done: number, total: number) => void;
}

/**
 * Quantizes one layer at a time, and all but one for those that cost most, and ranks the layers by what each costs:
 * points on labelled data where there are some, otherwise by the noise that reaches the result.
 */
export async function diagnose(
  { float, graph: integer, histograms }: QuantizedModel,
  data: CalibrationData,
  { judge, onLayer }: DiagnoseOptions = {},
): Promise<readonly LayerDiagnosis[]> {
  const source = judge ?? data;
  const count = Math.min(judgedSamples, source.count);
  const inputs = firstSamples(source.inputs, source.count, count);
  const suspects = suspectsOf(float, integer);
  const total = suspects.length + (judge ? Math.min(spared, suspects.length) : 0);
  const [reference] = await evaluateFloat(float, inputs, count);
  const compared = Math.min(comparedSamples, data.count);
  const noise = await signalToNoise(float, integer, data.inputs, compared);
  const reach = await channelReach(float, data);
  const partly = async (values: readonly string[]) =>
    (await evaluatePartly(float, integer, new Set(values), inputs, count))[0]!;
  const found: (LayerDiagnosis & { value: string })[] = [];
  for (const { value, name, op, node } of suspects) {
    onLayer?.(found.length, total);
    const given = await partly([value]);
    const values = { seen: histograms.get(value)!, reach: reach.get(value)! };
    found.push({
      value,
      name,
      op,
      sqnrDb: noise.get(value) ?? null,
      aloneDb: decibels(reference!, given),
      cost: judge ? judge.lost(given, count) : null,
      spared: null,
      causes: findCauses(float, node, integer, value, values),
    });
  }
  found.sort(byDamage);
  const result: LayerDiagnosis[] = [];
  for (const [i, { value, ...layer }] of found.entries()) {
    if (!judge || i >= spared || !(layer.cost! > 0)) {
      result.push(layer);
      continue;
    }
    onLayer?.(suspects.length + i, total);
    const others = suspects.map((one) => one.value).filter((one) => one !== value);
    result.push({ ...layer, spared: judge.lost(await partly(others), count) });
  }
  return result;
}
