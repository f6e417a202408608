import type { Graph } from '../ir/types.ts';
import { banner } from './banner.ts';
import { identifier } from './c-text.ts';
import { runtimeHasNoOperator } from './errors.ts';
import { readTflmModel, type TflmArena, type TflmModel, tflmArena } from './tflm-arena.ts';

export interface TflmOptions {
  /** Stem of the files; `model` when absent. */
  readonly name?: string;
  readonly toolVersion: string;
  readonly command: string;
  /** SHA-256 of the TFLite file in hexadecimal. */
  readonly modelHash: string;
}

export interface TflmProgram {
  readonly files: ReadonlyMap<string, string>;
  /** Computed for TensorFlow Lite Micro with CMSIS-NN, not measured. */
  readonly arenaBytes: number;
  readonly arena: TflmArena;
  /** Methods of the operator resolver that the model needs, each once. */
  readonly resolver: readonly string[];
}

/** Names that MicroMutableOpResolver's methods do not form from the operator's own words. */
const irregular = new Map([
  ['CONV_2D', 'AddConv2D'],
  ['DEPTHWISE_CONV_2D', 'AddDepthwiseConv2D'],
  ['AVERAGE_POOL_2D', 'AddAveragePool2D'],
  ['MAX_POOL_2D', 'AddMaxPool2D'],
  ['PADV2', 'AddPadV2'],
]);

/** Operators of the IR that the runtime has no kernel for. */
const missing: ReadonlySet<string> = new Set(['reluN1To1']);

function requireKernels(graph: Graph): void {
  const node = graph.nodes.find(({ op }) => missing.has(op));
  if (node) throw runtimeHasNoOperator(node.origin, node.op);
}

function resolverMethod(builtin: string): string {
  const word = (part: string) => part[0]! + part.slice(1).toLowerCase();
  return irregular.get(builtin) ?? `Add${builtin.split('_').map(word).join('')}`;
}

function resolverMethods({ operators }: TflmModel): string[] {
  return [...new Set(operators.map(({ builtin }) => resolverMethod(builtin)))].sort();
}

/** Bytes on one line of the array. */
const bytesPerLine = 20;

function byteLines(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let i = 0; i < bytes.length; i += bytesPerLine) {
    const line = Array.from(
      bytes.subarray(i, i + bytesPerLine),
      (byte) => `0x${byte.toString(16).padStart(2, '0')}`,
    );
    lines.push(`    ${line.join(',')},`);
  }
  return lines.join('\n');
}

function arenaNote({ activationsBytes, persistentBytes }: TflmArena): string {
  return `// Computed for TensorFlow Lite Micro with CMSIS-NN on a 32-bit core with the DSP extension: ${activationsBytes} bytes of
// tensors and scratch as its greedy planner lays them out, and about ${persistentBytes} bytes of structures. Other kernels and
// versions may need more; interpreter.arena_used_bytes() tells after AllocateTensors().`;
}

function dataHeader(name: string, size: number, arena: TflmArena, options: TflmOptions): string {
  return `${banner(options)}#ifndef TINYML_${name.toUpperCase()}_DATA_H_
#define TINYML_${name.toUpperCase()}_DATA_H_

#include <cstddef>

// The TFLite file, ${size} bytes, aligned as the runtime needs it.
extern const unsigned char g_model[];
extern const unsigned int g_model_len;

${arenaNote(arena)}
constexpr std::size_t kTensorArenaSize = ${arena.bytes};

#endif
`;
}

function dataSource(name: string, tflite: Uint8Array, options: TflmOptions): string {
  return `${banner(options)}#include "${name}_data.h"

alignas(16) const unsigned char g_model[] = {
${byteLines(tflite)}
};
const unsigned int g_model_len = ${tflite.length};
`;
}

function resolverHeader(methods: readonly string[], options: TflmOptions): string {
  const calls = methods.map((method) => `  TF_LITE_ENSURE_STATUS(resolver.${method}());`);
  return `${banner(options)}#ifndef TINYML_OP_RESOLVER_H_
#define TINYML_OP_RESOLVER_H_

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

// Exactly the operators of the model. Use:
//   ModelOpResolver resolver;
//   if (RegisterModelOps(resolver) != kTfLiteOk) { ... }
//   alignas(16) static unsigned char arena[kTensorArenaSize];
//   tflite::MicroInterpreter interpreter(tflite::GetModel(g_model), resolver, arena, kTensorArenaSize);
using ModelOpResolver = tflite::MicroMutableOpResolver<${Math.max(1, methods.length)}>;

inline TfLiteStatus RegisterModelOps(ModelOpResolver& resolver) {
${[...calls, '  return kTfLiteOk;'].join('\n')}
}

#endif
`;
}

/**
 * Files for a project that has TensorFlow Lite Micro: the model as an aligned array, the resolver with exactly its
 * operators, and the arena size. `tflite` is the file that was written for `graph`. Throws TinymlError for an
 * operator that the runtime does not have.
 */
export function generateTflm(tflite: Uint8Array, graph: Graph, options: TflmOptions): TflmProgram {
  const name = identifier(options.name ?? 'model', 'model');
  requireKernels(graph);
  const file = readTflmModel(tflite);
  const resolver = resolverMethods(file);
  const arena = tflmArena(file);
  return {
    files: new Map([
      [`${name}_data.cc`, dataSource(name, tflite, options)],
      [`${name}_data.h`, dataHeader(name, tflite.length, arena, options)],
      ['op_resolver.h', resolverHeader(resolver, options)],
    ]),
    arenaBytes: arena.bytes,
    arena,
    resolver,
  };
}
