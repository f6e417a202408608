import type { FloatBatch } from '../evaluate/float.ts';
import type { Graph } from '../ir/types.ts';
import { verify } from '../ir/verify.ts';
import { opRules } from '../ops/rules.ts';
import { chooseRanges, type Histograms, observeValues, type Ranges } from './calibrate.ts';
import { clusteringOf, notClustered, weightClustering } from './cluster-weights.ts';
import { biasCorrection } from './correct-bias.ts';
import { equalizeLayers } from './equalize-layers.ts';
import { cannotCluster, cannotStayFloat, unknownLayer } from './errors.ts';
import { roundingLearner } from './learn-rounding.ts';
import { choosePrecisions, notReal } from './precision.ts';
import { type QuantizeOptions, quantizeGraph } from './quantize-graph.ts';
import type { Recipe } from './recipe.ts';
import { type RefineLayer, walkLayers } from './walk-layers.ts';

/** Samples for calibration: one array per input port, samples one after another in the user's axis order. */
export interface CalibrationData {
  readonly inputs: FloatBatch;
  readonly count: number;
}

/** Samples on which biases and roundings are fitted; more change the result by little. */
const fittedSamples = 128;

export interface QuantizedModel {
  /** The float graph that the integer one follows: the source, equalized where the recipe says so. */
  readonly float: Graph;
  readonly graph: Graph;
  readonly histograms: Histograms;
}

/** A float graph and what calibration saw of it; several recipes can start from one. */
export interface Observed {
  readonly graph: Graph;
  readonly histograms: Histograms;
}

export async function observe(graph: Graph, data: CalibrationData): Promise<Observed> {
  return { graph, histograms: await observeValues(graph, data.inputs, data.count) };
}

async function equalized(source: Observed, data: CalibrationData): Promise<Observed> {
  const { graph, pairs } = equalizeLayers(source.graph, source.histograms);
  return pairs.length === 0 ? source : observe(graph, data);
}

async function refinements(float: Graph, recipe: Recipe): Promise<RefineLayer[]> {
  const clusters = float.nodes.some((node) => clusteringOf(node, recipe) !== 'none');
  return [
    ...(clusters ? [weightClustering(recipe)] : []),
    ...(recipe.learnRounding
      ? [await roundingLearner(float, (node) => clusteringOf(node, recipe) !== 'none')]
      : []),
    ...(recipe.correctBias || clusters ? [await biasCorrection(float)] : []),
  ];
}

/** One refinement after the other, each seeing what the ones before it changed. */
function inTurn(steps: readonly RefineLayer[]): RefineLayer {
  return async (layer) => {
    const values = new Map(layer.graph.values);
    const graph = { ...layer.graph, values };
    const changed = [];
    for (const step of steps) {
      for (const value of await step({ ...layer, graph })) {
        values.set(value.name, value);
        changed.push(value);
      }
    }
    return changed;
  };
}

/** Stands for every layer that can have weights of 4 bits. */
const allLayers = 'all';
const packable = new Set(['conv2d', 'fullyConnected']);

function packedValues(graph: Graph, layers: ReadonlySet<string>): ReadonlySet<string> {
  const isPacked = ({ op, origin }: Graph['nodes'][number]) =>
    packable.has(op) && (layers.has(allLayers) || layers.has(origin));
  return new Set(graph.nodes.filter(isPacked).flatMap((node) => node.outputs));
}

/** Throws E_UNKNOWN_LAYER for a name in the recipe that no layer has. */
function requireLayers(graph: Graph, recipe: Recipe): void {
  const { methodOfLayer, precisionOfLayer, packedLayers, clusterOfLayer } = recipe;
  const layers = [...new Set(graph.nodes.map((node) => node.origin))];
  const packed = [...packedLayers].filter((name) => name !== allLayers);
  const named = [methodOfLayer, precisionOfLayer, clusterOfLayer].flatMap((map) => [...map.keys()]);
  for (const name of [...named, ...packed]) if (!layers.includes(name)) throw unknownLayer(name, layers);
}

/** The integer form of an observed float graph by a recipe; ranges that training learned go before calibrated ones. */
export async function quantizeModel(
  source: Observed,
  data: CalibrationData,
  recipe: Recipe,
  options: Pick<QuantizeOptions, 'perChannelFullyConnected'>,
  learned: Ranges = new Map(),
): Promise<QuantizedModel> {
  requireLayers(source.graph, recipe);
  const { graph: float, histograms } = recipe.equalize ? await equalized(source, data) : source;
  const choice = { method: recipe.method, ofLayer: recipe.methodOfLayer };
  const ranges = new Map([...(await chooseRanges(float, histograms, choice)), ...learned]);
  const stuck = notReal(float, recipe.precisionOfLayer);
  if (stuck) throw cannotStayFloat(stuck.origin, stuck.op);
  const weightless = notClustered(float, recipe);
  if (weightless) throw cannotCluster(weightless.origin, weightless.op);
  const precisions = choosePrecisions(float, recipe.scheme, recipe.precisionOfLayer);
  const graph = quantizeGraph(float, ranges, {
    ...options,
    perTensor: recipe.perTensor,
    precisions,
    packed: packedValues(float, recipe.packedLayers),
  });
  const keepsFloat = [...precisions.values()].includes('float32');
  verify(graph, keepsFloat ? 'typed' : 'quantized', opRules);
  const steps = await refinements(float, recipe);
  if (steps.length === 0) return { float, graph, histograms };
  const count = Math.min(fittedSamples, data.count);
  return { float, histograms, graph: await walkLayers(float, graph, data.inputs, count, inTurn(steps)) };
}
