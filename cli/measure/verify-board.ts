import { isQuantized } from '../../converter/convert-model.ts';
import { prepareInteger } from '../../converter/evaluate/integer.ts';
import { bytesOf } from '../../converter/ir/tensor.ts';
import type { Graph, TensorData } from '../../converter/ir/types.ts';
import type { BenchClient } from '../../device/bench/bench-client.ts';
import type { Context } from '../context.ts';
import { fnv1a } from '../engine/fnv1a.ts';
import { compileForHost, runOnHost } from '../engine/host-model.ts';
import { testVector } from '../engine/test-vectors.ts';
import type { Progress } from '../output.ts';
import type { BenchSubject } from './bench-subject.ts';

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

/** What this machine computes for one input. */
interface Expected {
  readonly outputs: readonly TensorData[];
  /** Of every layer's output; empty where layers are not compared. */
  readonly hashes: readonly number[];
}

type Reference = (inputs: readonly TensorData[]) => Promise<Expected>;

function integerReference(graph: Graph): Reference {
  const prepared = prepareInteger(graph);
  return async (inputs) => {
    const hashes: number[] = [];
    const outputs = prepared.run(inputs, {
      onLayer: (_, _index, data) => hashes.push(fnv1a(bytesOf(data))),
    });
    return { outputs, hashes };
  };
}

/** A float network has no integer reference; its own C, compiled here, takes that place. */
async function hostReference(context: Context, { files, graph }: BenchSubject): Promise<Reference> {
  const program = await compileForHost(context, files);
  return async (inputs) => {
    const [outputs] = await runOnHost(context, program, graph, [inputs]);
    return { outputs: outputs!, hashes: [] };
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
  const quantized = isQuantized(subject.graph);
  const reference = quantized ? integerReference(subject.graph) : await hostReference(context, subject);
  const layersChecked = quantized ? subject.graph.nodes.length : 0;
  const base = { board: client.hello.board, model: subject.name, layersChecked };
  for (let vector = 1; vector <= options.vectors; vector++) {
    await context.lifetime.breathe();
    progress(`vector ${vector} of ${options.vectors}`);
    const samples = testVector(subject.graph, vector);
    const expected = await reference(samples);
    const inputs = samples.map(bytesOf);
    const layers = quantized && (vector === 1 || options.allLayers);
    const mismatch =
      (layers ? await compareLayers(client, subject, vector, inputs, expected.hashes) : undefined) ??
      (await compareOutputs(client, subject, vector, inputs, expected.outputs));
    if (mismatch) return { ...base, vectors: vector, bitExact: false, firstMismatch: mismatch };
  }
  return { ...base, vectors: options.vectors, bitExact: true, firstMismatch: null };
}
