import { type ConvertedModel, isQuantized, type Scheme } from '../../converter/convert-model.ts';
import type { InputSamples } from '../../converter/data/samples.ts';
import { encodeSample, floatBatch, joinOutputs, realNumbers } from '../../converter/evaluate/encode.ts';
import { evaluateFloat } from '../../converter/evaluate/float.ts';
import { prepareInteger } from '../../converter/evaluate/integer.ts';
import { tensorOf } from '../../converter/ir/graph.ts';
import type { DType, Graph, Quantization, Shape, TensorData } from '../../converter/ir/types.ts';
import { optimize } from '../../converter/pipeline.ts';
import { judgeInputs } from '../../converter/quant/judge-inputs.ts';
import type { Recipe } from '../../converter/quant/recipe.ts';
import type { Context } from '../context.ts';
import { convertOpenModel } from '../model/convert.ts';
import type { OpenModel } from '../model/open-model.ts';
import { engineNeedsFloat, engineNeedsIntegers } from './errors.ts';
import { compileForHost, runOnHost } from './host-model.ts';

export type EngineName = 'float' | 'int8' | 'c' | 'board';

export interface EngineChoice {
  /** Absent: the integer reference where the model is quantized or can be, otherwise float. */
  readonly engine?: EngineName | undefined;
  readonly calib?: string | undefined;
  readonly quantize?: Scheme;
  readonly recipe?: Partial<Recipe>;
}

/** The results of all samples for one output, in the user's axis order. */
export interface EngineOutput {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly data: TensorData;
  /** Of codes: what they mean. */
  readonly quant?: Quantization;
}

export interface EngineRun {
  readonly engine: EngineName;
  /** In the types that the user's own model declares: integers where it has them, otherwise real numbers. */
  readonly outputs: readonly EngineOutput[];
  /** As the converted model stores them. */
  readonly stored: readonly EngineOutput[];
  /** The same results as real numbers, for scoring. */
  readonly real: readonly Float32Array[];
}

export function engineFor(model: OpenModel, choice: EngineChoice): EngineName {
  if (choice.engine !== undefined) return choice.engine;
  if (choice.quantize === 'float' && !isQuantized(model.graph)) return 'float';
  return isQuantized(model.graph) || choice.calib !== undefined ? 'int8' : 'float';
}

/** Time after which signals get a turn; a layer or a sample is never cut. */
const breathMs = 50;

async function runIntegers(
  context: Context,
  graph: Graph,
  count: number,
  encode: (index: number) => TensorData[],
): Promise<TensorData[][]> {
  const prepared = prepareInteger(graph);
  const results: TensorData[][] = [];
  let breathed = Date.now();
  for (let n = 0; n < count; n++) {
    results.push(prepared.run(encode(n)));
    if (Date.now() - breathed < breathMs) continue;
    await context.lifetime.breathe();
    breathed = Date.now();
  }
  return results;
}

/** Results of one sample as they are; of several along the batch axis of 1, or along a new one where there is none. */
function shapeFor(shape: Shape, count: number): Shape {
  if (count === 1) return shape;
  return shape[0] === 1 ? [count, ...shape.slice(1)] : [count, ...shape];
}

/** Real results of a float graph, one array an output. */
export async function floatResults(
  context: Context,
  graph: Graph,
  inputs: readonly InputSamples[],
): Promise<Float32Array[]> {
  await context.lifetime.breathe();
  return evaluateFloat(graph, floatBatch(inputs), inputs[0]?.count ?? 0);
}

/** Real results of the integer reference on a quantized graph, one array an output. */
export async function integerResults(
  context: Context,
  graph: Graph,
  inputs: readonly InputSamples[],
): Promise<Float32Array[]> {
  const encode = (n: number) => encodeSample(graph, inputs, n);
  return realOutputs(
    graph,
    joinOutputs(graph, await runIntegers(context, graph, inputs[0]?.count ?? 0, encode)),
  );
}

function realOutputs(graph: Graph, joined: readonly TensorData[]): Float32Array[] {
  return graph.outputs.map((port, i) => realNumbers(joined[i]!, tensorOf(graph, port.value).type.quant));
}

/** Float results of a model's own optimized graph. */
export async function runFloat(
  context: Context,
  model: OpenModel,
  graph: Graph,
  inputs: readonly InputSamples[],
): Promise<EngineRun> {
  if (isQuantized(model.graph)) throw engineNeedsFloat(model.name);
  const count = inputs[0]?.count ?? 0;
  const real = await floatResults(context, graph, inputs);
  const outputs = graph.outputs.map(({ name, shape }, i) => {
    return { name, shape: shapeFor(shape, count), dtype: 'float32' as const, data: real[i]! };
  });
  return { engine: 'float', outputs, stored: outputs, real };
}

/** Runs encoded samples somewhere: here, in compiled C, on a board. */
export type SampleRunner = (
  converted: ConvertedModel,
  samples: readonly (readonly TensorData[])[],
) => Promise<TensorData[][]>;

/** Results of the converted model, in the types of the user's own model. */
export async function runConverted(
  engine: EngineName,
  model: OpenModel,
  converted: ConvertedModel,
  inputs: readonly InputSamples[],
  runner: SampleRunner,
): Promise<EngineRun> {
  const { graph } = converted;
  const count = inputs[0]?.count ?? 0;
  const samples = Array.from({ length: count }, (_, n) => encodeSample(graph, inputs, n));
  const joined = joinOutputs(graph, await runner(converted, samples));
  const real = realOutputs(graph, joined);
  const stored = graph.outputs.map(({ name, shape, value }, i): EngineOutput => {
    const { dtype, quant } = tensorOf(graph, value).type;
    return { name, shape: shapeFor(shape, count), dtype, data: joined[i]!, ...(quant ? { quant } : {}) };
  });
  const outputs = stored.map((output, i): EngineOutput => {
    const { name, shape } = output;
    const declared = tensorOf(model.graph, model.graph.outputs[i]!.value).type.dtype;
    return declared === 'float32' ? { name, shape, dtype: 'float32', data: real[i]! } : output;
  });
  return { engine, outputs, stored, real };
}

/** Results of the integer reference evaluation. */
export function runReference(
  context: Context,
  model: OpenModel,
  converted: ConvertedModel,
  inputs: readonly InputSamples[],
): Promise<EngineRun> {
  return runConverted('int8', model, converted, inputs, ({ graph }, samples) =>
    runIntegers(context, graph, samples.length, (n) => [...samples[n]!]),
  );
}

/** Results of the generated C on this machine. */
export function runHostC(
  context: Context,
  model: OpenModel,
  converted: ConvertedModel,
  inputs: readonly InputSamples[],
): Promise<EngineRun> {
  return runConverted('c', model, converted, inputs, async ({ files, graph }, samples) =>
    runOnHost(context, await compileForHost(context, files), graph, samples),
  );
}

/** Runs samples through one engine, converting a float model first where the engine needs it. */
export async function runEngine(
  context: Context,
  model: OpenModel,
  inputs: readonly InputSamples[],
  choice: EngineChoice,
  board: SampleRunner,
): Promise<EngineRun> {
  const engine = engineFor(model, choice);
  if (engine === 'float') return runFloat(context, model, optimize(model.graph), inputs);
  if (engine === 'int8' && choice.quantize === 'float' && !isQuantized(model.graph))
    throw engineNeedsIntegers(model.name);
  const converted = await convertOpenModel(context, model, {
    calib: choice.calib,
    ...(choice.quantize ? { quantize: choice.quantize } : {}),
    ...(choice.recipe ? { recipe: choice.recipe } : {}),
  });
  for (const warning of judgeInputs(converted.graph, inputs)) context.output.warn(warning);
  if (engine === 'int8') return runReference(context, model, converted, inputs);
  if (engine === 'c') return runHostC(context, model, converted, inputs);
  return runConverted(engine, model, converted, inputs, board);
}
