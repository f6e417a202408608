import { generateAot } from './codegen/aot.ts';
import type { ArenaPeak } from './codegen/plan-model-memory.ts';
import { generateTflm } from './codegen/tflm.ts';
import { writeTflite } from './formats/tflite/write.ts';
import { tensorOf } from './ir/graph.ts';
import { byteCount } from './ir/tensor.ts';
import type { Graph, Node, Shape } from './ir/types.ts';
import { opOf } from './ops/index.ts';
import { transposesLeft } from './passes/simplify-layout.ts';
import { type DumpAfter, integerPasses, optimize, runPasses } from './pipeline.ts';
import type { Ranges } from './quant/calibrate.ts';
import { calibrationNeeded } from './quant/errors.ts';
import { judgeCalibration } from './quant/judge-calibration.ts';
import { narrowLayers } from './quant/precision.ts';
import { type CalibrationData, observe, quantizeModel } from './quant/quantize-model.ts';
import { defaultRecipe, type Recipe } from './quant/recipe.ts';
import { signalToNoise } from './quant/signal-to-noise.ts';
import { bringsScales, takeScales } from './quant/take-scales.ts';

export type Engine = 'aot' | 'tflm';
export type Scheme = 'int8' | 'int16x8' | 'float';

export type { CalibrationData } from './quant/quantize-model.ts';

export interface ConvertOptions {
  readonly engine: Engine;
  readonly quantize: Scheme;
  readonly optimize: 'speed' | 'size';
  readonly calibration?: CalibrationData;
  /** Ranges that quantization-aware training learned, by the names of the optimized graph's values. */
  readonly learnedRanges?: Ranges;
  /** How a float model is quantized, where that differs from the default. */
  readonly recipe?: Partial<Recipe>;
  /** C kernel headers by file name; the converter itself opens no files. */
  readonly kernels: ReadonlyMap<string, string>;
  readonly toolVersion: string;
  /** The command line for the banner of generated files. */
  readonly command: string;
  readonly dump?: DumpAfter;
  /** Told what is being done, for progress. */
  readonly onStage?: (stage: string) => void;
}

export interface LayerReport {
  readonly name: string;
  readonly op: string;
  readonly inShape: Shape;
  readonly outShape: Shape;
  readonly macs: number;
  readonly weightsBytes: number;
  /** Null where there is no float value to compare with. */
  readonly sqnrDb: number | null;
}

export interface ConvertedModel {
  /** The optimized float graph; absent when the model came quantized. */
  readonly float?: Graph;
  /** What was written and generated. */
  readonly graph: Graph;
  readonly quantize: Scheme;
  readonly tflite: Uint8Array;
  /** Everything to write, by path in the output folder; `model.tflite` among them. */
  readonly files: ReadonlyMap<string, string | Uint8Array>;
  readonly macs: number;
  readonly weightsBytes: number;
  readonly arenaBytes: number;
  /** What most of the arena is needed for; null where the runtime plans it. */
  readonly peak: ArenaPeak | null;
  readonly transposes: number;
  readonly layers: readonly LayerReport[];
  readonly warnings: readonly string[];
}

/** Samples compared layer by layer for the report; more changes the figures by little and costs time. */
const comparedSamples = 4;

/** Whether the model holds integers already, so that it needs no calibration. */
export function isQuantized(graph: Graph): boolean {
  if (bringsScales(graph)) return true;
  return graph.nodes.some((node) =>
    node.inputs.some((name) => tensorOf(graph, name).type.quant !== undefined),
  );
}

/** What a graph is stored in, by the type of its first input. */
function schemeOf(graph: Graph): Scheme {
  if (!isQuantized(graph)) return 'float';
  return tensorOf(graph, graph.inputs[0]!.value).type.dtype === 'int16' ? 'int16x8' : 'int8';
}

async function hex(bytes: Uint8Array): Promise<string> {
  const digest = await globalThis.crypto.subtle.digest('SHA-256', bytes.slice().buffer);
  return Buffer.from(digest).toString('hex');
}

function weightBytes(graph: Graph, node: Node): number {
  const constants = node.inputs.map((name) => tensorOf(graph, name)).filter((value) => value.data);
  return constants.reduce((sum, value) => sum + byteCount(value.type), 0);
}

function layerReports(graph: Graph, noise: ReadonlyMap<string, number>): LayerReport[] {
  return graph.nodes.map((node) => {
    const inputs = node.inputs.map((name) => tensorOf(graph, name).type);
    const outputs = node.outputs.map((name) => tensorOf(graph, name).type);
    return {
      name: node.origin,
      op: node.op,
      inShape: inputs[0]!.shape,
      outShape: outputs[0]!.shape,
      macs: opOf(node.op).macs?.(inputs, outputs, node.attrs) ?? 0,
      weightsBytes: weightBytes(graph, node),
      sqnrDb: noise.get(node.outputs[0]!) ?? null,
    };
  });
}

interface Quantized {
  readonly graph: Graph;
  readonly noise: ReadonlyMap<string, number>;
  readonly warnings: readonly string[];
}

async function quantized(float: Graph, options: ConvertOptions): Promise<Quantized> {
  const { calibration, engine, onStage } = options;
  const recipe: Recipe = {
    ...defaultRecipe,
    ...(options.quantize === 'float' ? {} : { scheme: options.quantize }),
    ...options.recipe,
  };
  if (!calibration || calibration.count === 0)
    throw calibrationNeeded(float.inputs.map((port) => port.shape));
  onStage?.(`calibrating on ${calibration.count} samples`);
  const observed = await observe(float, calibration);
  onStage?.('quantizing');
  const made = await quantizeModel(
    observed,
    calibration,
    recipe,
    { perChannelFullyConnected: engine === 'aot' },
    options.learnedRanges,
  );
  onStage?.('comparing with float, layer by layer');
  const noise = await signalToNoise(
    made.float,
    made.graph,
    calibration.inputs,
    Math.min(comparedSamples, calibration.count),
  );
  const narrow = narrowLayers(float, recipe.scheme, recipe.precisionOfLayer);
  const warnings = [
    ...judgeCalibration(float, calibration, observed.histograms),
    ...(narrow.length > 0 ? [`no 16-bit form, so 8 bits are kept: ${narrow.join(', ')}`] : []),
  ];
  return { graph: made.graph, noise, warnings };
}

/** Optimized graph in the scheme asked for. A model that came quantized stays as it is. */
async function prepare(source: Graph, options: ConvertOptions): Promise<Quantized & { float?: Graph }> {
  options.onStage?.('optimizing the graph');
  const optimized = optimize(source, options.dump);
  if (isQuantized(optimized)) {
    const stored = bringsScales(optimized) ? takeScales(optimized, source.storedScales ?? []) : optimized;
    return { graph: runPasses(stored, integerPasses, options.dump), noise: new Map(), warnings: [] };
  }
  if (options.quantize === 'float')
    return { graph: optimized, float: optimized, noise: new Map(), warnings: [] };
  const made = await quantized(optimized, options);
  return { ...made, graph: runPasses(made.graph, integerPasses, options.dump), float: optimized };
}

/**
 * Converts an imported graph to TFLite and C. Throws TinymlError when the model cannot be converted as asked, and
 * E_CALIBRATION_NEEDED when a float model is to be quantized without data.
 */
export async function convertModel(source: Graph, options: ConvertOptions): Promise<ConvertedModel> {
  const { graph, float, noise, warnings } = await prepare(source, options);
  options.onStage?.('writing TFLite and C');
  const tflite = writeTflite(graph);
  const modelHash = await hex(tflite);
  const { toolVersion, command, kernels } = options;
  const generated =
    options.engine === 'aot'
      ? generateAot(graph, { toolVersion, command, modelHash, optimize: options.optimize, kernels })
      : generateTflm(tflite, graph, { toolVersion, command, modelHash });
  const layers = layerReports(graph, noise);
  const transposes = transposesLeft(graph);
  return {
    ...(float ? { float } : {}),
    graph,
    quantize: schemeOf(graph),
    tflite,
    files: new Map<string, string | Uint8Array>([['model.tflite', tflite], ...generated.files]),
    macs: layers.reduce((sum, layer) => sum + layer.macs, 0),
    weightsBytes: layers.reduce((sum, layer) => sum + layer.weightsBytes, 0),
    arenaBytes: generated.arenaBytes,
    peak: ('peak' in generated && generated.peak) || null,
    transposes,
    layers,
    warnings: transposes > 0 ? [...warnings, `${transposes} transposes are left in the graph`] : warnings,
  };
}
