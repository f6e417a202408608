import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { importTflite } from '../../converter/formats/tflite/import.ts';
import { tensorOf } from '../../converter/ir/graph.ts';
import { elementCount } from '../../converter/ir/tensor.ts';
import type { Graph } from '../../converter/ir/types.ts';

export interface GoldenVector {
  readonly seed: number;
  readonly outputs: readonly { readonly data: readonly number[] }[];
  /** Hashes of every intermediate tensor; the first vector has them. */
  readonly layers?: readonly { readonly op: string; readonly name: string; readonly fnv1a: string }[];
}

export interface Golden {
  readonly graph: Graph;
  readonly vectors: readonly GoldenVector[];
}

/** A shared model with the outputs that LiteRT gave for it. */
export function readGolden(shared: string, name: string): Golden {
  const bytes = new Uint8Array(readFileSync(join(shared, 'models', `${name}.tflite`)));
  const { vectors } = JSON.parse(readFileSync(join(shared, 'golden', `${name}.json`), 'utf8')) as Golden;
  return { graph: importTflite(bytes, { fileName: `${name}.tflite` }).graph, vectors };
}

/** int8 input of the golden files: the high bytes of a linear congruential generator. */
export function goldenInput(graph: Graph, seed: number): Int8Array {
  const count = elementCount(tensorOf(graph, graph.inputs[0]!.value).type.shape);
  let state = seed >>> 0;
  return Int8Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

/** FNV-1a of bytes in hexadecimal. */
export function fnv1a(bytes: Uint8Array): string {
  let hash = 2166136261;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 16777619);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

/** The graph's own hash of each golden layer's tensor, found by its name. */
export function hashesByName(graph: Graph, layers: readonly Uint8Array[]): Map<string, string> {
  return new Map(graph.nodes.map((node, i) => [node.outputs[0]!, fnv1a(layers[i]!)]));
}

export const int8Models = [
  'kws_int8',
  'ic_int8',
  'vww_int8',
  'ad_int8',
  'hello_world_int8',
  'micro_speech_quantized',
] as const;
