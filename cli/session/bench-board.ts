import { createHash } from 'node:crypto';
import { prepareInteger } from '../../converter/evaluate/integer.ts';
import { bytesOf } from '../../converter/ir/tensor.ts';
import type { Graph, TensorData } from '../../converter/ir/types.ts';
import { BenchClient } from '../../device/bench/bench-client.ts';
import type { ImageSizes } from '../../firmware-templates/elf-sizes.ts';
import type { Context } from '../context.ts';
import type { Progress } from '../output.ts';
import type { BoardLink } from './board-link.ts';
import { fnv1a } from './fnv1a.ts';
import { testVector } from './test-vectors.ts';

/** What a board is compared with and measured against. */
export interface BenchSubject {
  readonly name: string;
  readonly engine: string;
  readonly graph: Graph;
  readonly tflite: Uint8Array;
  /** In the order in which the firmware runs them. */
  readonly layers: readonly { readonly name: string; readonly op: string; readonly macs: number }[];
}

/** First bytes of the SHA-256 of model.tflite, as the firmware carries them. */
function modelHashOf(tflite: Uint8Array): string {
  return createHash('sha256').update(tflite).digest('hex').slice(0, 16);
}

export function connectBench(context: Context, link: BoardLink, subject: BenchSubject): Promise<BenchClient> {
  const { board, transport } = link;
  return BenchClient.connect(transport, {
    baud: board.serial.baud,
    expected: { modelHash: modelHashOf(subject.tflite), board: board.id },
    signal: context.lifetime.signal,
  });
}

export interface Mismatch {
  readonly vector: number;
  /** The layer, by the user's name, or null when only an output was compared. */
  readonly layer: string | null;
  readonly output: string | null;
  /** Index of the first byte that differs, or null where hashes were compared. */
  readonly byte: number | null;
}

export interface VerifyReport {
  readonly board: string;
  readonly model: string;
  readonly vectors: number;
  readonly bitExact: boolean;
  readonly layersChecked: number;
  readonly firstMismatch: Mismatch | null;
}

interface Reference {
  readonly outputs: readonly TensorData[];
  readonly hashes: readonly number[];
}

function referenceOf(graph: Graph): (inputs: readonly TensorData[]) => Reference {
  const prepared = prepareInteger(graph);
  return (inputs) => {
    const hashes: number[] = [];
    const outputs = prepared.run(inputs, {
      onLayer: (_, _index, data) => hashes.push(fnv1a(bytesOf(data))),
    });
    return { outputs, hashes };
  };
}

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const length = Math.max(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return -1;
}

async function compareLayers(
  client: BenchClient,
  subject: BenchSubject,
  vector: number,
  inputs: readonly Uint8Array[],
  expected: readonly number[],
): Promise<Mismatch | undefined> {
  const { hashes } = await client.profile(inputs);
  const layer = expected.findIndex((hash, i) => hash !== hashes[i]);
  if (layer < 0) return undefined;
  return { vector, layer: subject.layers[layer]?.name ?? String(layer), output: null, byte: null };
}

async function compareOutputs(
  client: BenchClient,
  subject: BenchSubject,
  vector: number,
  inputs: readonly Uint8Array[],
  expected: readonly TensorData[],
): Promise<Mismatch | undefined> {
  const { outputs } = await client.infer(inputs);
  for (const [i, port] of subject.graph.outputs.entries()) {
    const byte = firstDifference(outputs[i] ?? new Uint8Array(0), bytesOf(expected[i]!));
    if (byte >= 0) return { vector, layer: null, output: port.name, byte };
  }
  return undefined;
}

/**
 * Runs the same inputs here and on the board and compares every output byte; of the first vector, or of all with
 * `allLayers`, also a hash of what every layer put out.
 */
export async function verifyBoard(
  context: Context,
  client: BenchClient,
  subject: BenchSubject,
  options: { readonly vectors: number; readonly allLayers: boolean },
  progress: Progress,
): Promise<VerifyReport> {
  const reference = referenceOf(subject.graph);
  const base = { board: client.hello.board, model: subject.name, layersChecked: subject.graph.nodes.length };
  for (let vector = 1; vector <= options.vectors; vector++) {
    await context.lifetime.breathe();
    progress(`vector ${vector} of ${options.vectors}`);
    const samples = testVector(subject.graph, vector);
    const expected = reference(samples);
    const inputs = samples.map(bytesOf);
    const layers = vector === 1 || options.allLayers;
    const mismatch =
      (layers ? await compareLayers(client, subject, vector, inputs, expected.hashes) : undefined) ??
      (await compareOutputs(client, subject, vector, inputs, expected.outputs));
    if (mismatch) return { ...base, vectors: vector, bitExact: false, firstMismatch: mismatch };
  }
  return { ...base, vectors: options.vectors, bitExact: true, firstMismatch: null };
}

export interface LayerBench {
  readonly name: string;
  readonly op: string;
  readonly macs: number;
  readonly us: number;
  readonly instructions: number | null;
}

export interface BenchReport {
  readonly board: string;
  readonly engine: string;
  readonly model: string;
  readonly runs: number;
  readonly unit: { readonly latency: 'us' };
  readonly latencyUs: Readonly<Record<'min' | 'median' | 'p95' | 'p99' | 'max', number>>;
  /** How the times were come by where the board has no clock of its own, otherwise null. */
  readonly modelled: string | null;
  readonly instructions: number | null;
  readonly cycles: number | null;
  readonly clockHz: number;
  readonly flash: Pick<ImageSizes, 'image' | 'weights' | 'code' | 'other'> | null;
  readonly ram: { readonly arena: number; readonly static: number; readonly stackUsed: number };
  readonly initUs: number;
  readonly layers: readonly LayerBench[];
}

/** The value below which a share of the sorted samples lies (nearest rank). */
function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
}

function latencies(sorted: readonly number[], toUs: (ticks: number) => number): BenchReport['latencyUs'] {
  const at = (share: number) => toUs(percentile(sorted, share));
  return { min: toUs(sorted[0]!), median: at(0.5), p95: at(0.95), p99: at(0.99), max: toUs(sorted.at(-1)!) };
}

/**
 * What one tick is worth. An emulated board counts instructions exactly but has no time; there the real chip's clock is
 * taken, at one instruction a cycle, and the report says so.
 */
function timeOf(client: BenchClient, link: BoardLink) {
  const { tickUnit, tickHz, clockHz } = client.hello;
  const { sysclkHz } = link.board.chip.clock;
  if (tickUnit !== 'instruction') {
    return { toUs: (ticks: number) => (ticks / tickHz) * 1e6, clockHz, modelled: null };
  }
  const modelled = `one instruction a cycle at ${sysclkHz / 1e6} MHz`;
  return { toUs: (ticks: number) => (ticks / sysclkHz) * 1e6, clockHz: sysclkHz, modelled };
}

function flashOf({ image, weights, code, other }: ImageSizes): BenchReport['flash'] {
  return { image, weights, code, other };
}

/** Measures latency over `runs` inferences, memory, and the time of every layer. */
export async function measureBoard(
  client: BenchClient,
  link: BoardLink,
  subject: BenchSubject,
  options: { readonly runs: number; readonly sizes: ImageSizes | undefined },
  progress: Progress,
): Promise<BenchReport> {
  const inputs = testVector(subject.graph, 1).map(bytesOf);
  const ticks = await client.measure(inputs, {
    runs: options.runs,
    onSample: (done) => progress(`inference ${done} of ${options.runs}`),
  });
  const { ticks: layerTicks } = await client.profile(inputs);
  const memory = await client.memory();
  const { toUs, clockHz, modelled } = timeOf(client, link);
  const sorted = [...ticks].sort((a, b) => a - b);
  const median = percentile(sorted, 0.5);
  const { tickUnit } = client.hello;
  return {
    board: client.hello.board,
    engine: subject.engine,
    model: subject.name,
    runs: ticks.length,
    unit: { latency: 'us' },
    latencyUs: latencies(sorted, toUs),
    modelled,
    instructions: tickUnit === 'instruction' ? median : null,
    cycles: tickUnit === 'cycle' ? median : null,
    clockHz,
    flash: options.sizes ? flashOf(options.sizes) : null,
    ram: { arena: memory.arena, static: memory.static, stackUsed: memory.stackUsed },
    initUs: toUs(memory.initTicks),
    layers: layerTicks.map((one, i) => {
      const { name = `layer ${i}`, op = '', macs = 0 } = subject.layers[i] ?? {};
      return { name, op, macs, us: toUs(one), instructions: tickUnit === 'instruction' ? one : null };
    }),
  };
}
