import { readFlatbuffer } from '../formats/tflite/container/read.ts';
import { constantBytes, type Model, type SubGraph } from '../formats/tflite/container/verify.ts';
import { builtinName } from '../formats/tflite/operators.ts';
import { type Buffer, placeInOrder, roundUp } from './plan-memory.ts';

/** What TensorFlow Lite Micro takes from the arena it is given. */
export interface TflmArena {
  /** Tensors and scratch buffers, as its greedy planner lays them out. */
  readonly activationsBytes: number;
  /** Structures, per-channel multipliers and operator data, taken from the arena's end. */
  readonly persistentBytes: number;
  /** Sum of both, rounded up to 16. */
  readonly bytes: number;
}

/** One operator of the file, with its tensors by position. */
interface FileOperator {
  readonly builtin: string;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly options: Readonly<Record<string, unknown>>;
}

export interface TflmModel {
  readonly model: Model;
  readonly graph: SubGraph;
  readonly operators: readonly FileOperator[];
}

/** The operators of a TFLite file as TensorFlow Lite Micro meets them. */
export function readTflmModel(tflite: Uint8Array): TflmModel {
  const model = readFlatbuffer(tflite, 'model.tflite');
  const graph = model.subgraphs[0]!;
  const operators = graph.operators.map(({ opcodeIndex, inputs, outputs, builtinOptions }) => {
    const code = model.operatorCodes[opcodeIndex]!;
    return {
      builtin: builtinName(Math.max(code.deprecatedBuiltinCode, code.builtinCode)),
      inputs: Array.from(inputs),
      outputs: Array.from(outputs),
      options: (builtinOptions?.value ?? {}) as Readonly<Record<string, unknown>>,
    };
  });
  return { model, graph, operators };
}

/** The runtime aligns every buffer to this. */
const alignment = 16;

// Sizes of the runtime's structures on a 32-bit machine (tensorflow/lite/micro, tensorflow/lite/core/c/common.h).
const evalTensorBytes = 12;
const nodeBytes = 32;
const portTensorBytes = 96;
/** Interpreter, allocators, planner and subgraph tables. */
const fixedBytes = 160;
/** Options and prepared data of one operator; those with more are listed below. */
const operatorBytes = 48;
const operatorDataBytes = new Map([
  ['CONV_2D', 112],
  ['DEPTHWISE_CONV_2D', 112],
  ['FULLY_CONNECTED', 80],
  ['ADD', 96],
  ['SUB', 96],
  ['MUL', 64],
  ['AVERAGE_POOL_2D', 64],
  ['MAX_POOL_2D', 64],
  ['RESHAPE', 36],
  ['SOFTMAX', 64],
]);

const shapeOf = (graph: SubGraph, tensor: number) => Array.from(graph.tensors[tensor]!.shape);

/** One multiplier and one shift of 32 bits for every output channel, in two arrays. */
function channelBytes({ graph }: TflmModel, { builtin, inputs }: FileOperator): number {
  if (builtin !== 'CONV_2D' && builtin !== 'DEPTHWISE_CONV_2D' && builtin !== 'FULLY_CONNECTED') return 0;
  const weights = graph.tensors[inputs[1]!]!;
  const scales = weights.quantization?.scale.length ?? 0;
  if (scales === 0 || (builtin === 'FULLY_CONNECTED' && scales === 1)) return 0;
  const channels = builtin === 'DEPTHWISE_CONV_2D' ? weights.shape[3]! : weights.shape[0]!;
  return 2 * roundUp(4 * channels, alignment);
}

/** Buffers that CMSIS-NN asks for on cores with the DSP extension (arm_*_get_buffer_size). */
function scratchBytes({ graph }: TflmModel, { builtin, inputs, options }: FileOperator): number {
  const [, height = 1, width = 1, depth = 1] = shapeOf(graph, inputs[0]!);
  if (graph.tensors[inputs[0]!]!.quantization === undefined) return 0;
  if (builtin === 'AVERAGE_POOL_2D') return 4 * depth;
  if (builtin !== 'CONV_2D' && builtin !== 'DEPTHWISE_CONV_2D') return 0;
  const [, kernelHeight = 1, kernelWidth = 1, filters = 1] = shapeOf(graph, inputs[1]!);
  const taps = kernelHeight * kernelWidth;
  if (builtin === 'DEPTHWISE_CONV_2D') {
    const plain = filters === depth && kernelHeight === 3 && kernelWidth === 3;
    return plain || filters !== depth ? 0 : 2 * depth * taps;
  }
  const pointwise = taps === 1 && options['strideH'] === 1 && options['strideW'] === 1 && height * width > 0;
  return pointwise ? 0 : 4 * roundUp(taps * depth, 4);
}

interface Live {
  first: number;
  last: number;
}

/** When each computed tensor is made and last read, by step. */
function lifetimes({ model, graph, operators }: TflmModel): Map<number, Live> {
  const lives = new Map<number, Live>();
  const isConstant = (tensor: number) => model.buffers[graph.tensors[tensor]!.buffer]!.data.length > 0;
  const touch = (tensor: number, step: number) => {
    if (tensor < 0 || isConstant(tensor)) return;
    const live = lives.get(tensor);
    if (live) live.last = Math.max(live.last, step);
    else lives.set(tensor, { first: step, last: step });
  };
  for (const tensor of graph.inputs) touch(tensor, 0);
  for (const [step, { inputs, outputs }] of operators.entries()) {
    for (const tensor of [...inputs, ...outputs]) touch(tensor, step);
  }
  for (const tensor of graph.outputs) touch(tensor, operators.length - 1);
  return lives;
}

function activationBytes(file: TflmModel): number {
  const tensors = [...lifetimes(file)].map(([tensor, live]): Buffer => {
    const bytes = constantBytes(file.graph.tensors[tensor]!) ?? 0;
    return { ...live, bytes: roundUp(bytes, alignment) };
  });
  const scratch = file.operators.map((operator, step): Buffer => {
    return { bytes: roundUp(scratchBytes(file, operator), alignment), first: step, last: step };
  });
  const buffers = [...tensors, ...scratch].filter(({ bytes }) => bytes > 0);
  // Of two of one size the later is placed first, as the runtime's own sort leaves them.
  const bySize = buffers.map((_, i) => i).sort((a, b) => buffers[b]!.bytes - buffers[a]!.bytes || b - a);
  return placeInOrder(buffers, bySize, alignment).bytes;
}

function persistentBytes(file: TflmModel): number {
  const { graph, operators } = file;
  const perOperator = operators.reduce(
    (sum, operator) =>
      sum +
      nodeBytes +
      (operatorDataBytes.get(operator.builtin) ?? operatorBytes) +
      channelBytes(file, operator),
    0,
  );
  const ports = graph.inputs.length + graph.outputs.length;
  return fixedBytes + evalTensorBytes * graph.tensors.length + portTensorBytes * ports + perOperator;
}

/**
 * The arena that TensorFlow Lite Micro with CMSIS-NN needs for a file, computed from its planner's rule and the
 * sizes of its structures on a 32-bit core with the DSP extension.
 */
export function tflmArena(file: TflmModel): TflmArena {
  const activationsBytes = activationBytes(file);
  const persistent = persistentBytes(file);
  return {
    activationsBytes,
    persistentBytes: persistent,
    bytes: roundUp(activationsBytes + persistent, alignment),
  };
}
