import { tensorOf } from '../ir/graph.ts';
import { byteCount, elementCount } from '../ir/tensor.ts';
import type { Port, Quantization, TensorType } from '../ir/types.ts';
import { clampInt8, storedValue } from '../ops/integer/quantized.ts';
import type { AotOptions } from './aot-options.ts';
import { banner } from './banner.ts';
import { commentText, floatLiteral } from './c-text.ts';
import type { PlannedModel } from './planned-model.ts';

type Kind = 'input' | 'output';

const elementTypes = new Map([
  ['float32', 'float'],
  ['int8', 'int8_t'],
  ['int16', 'int16_t'],
  ['int32', 'int32_t'],
  ['uint8', 'uint8_t'],
]);

/** How the user's tensor is laid out in memory, where that differs from the model's own order of axes. */
function layoutNote(port: Port, type: TensorType): string {
  const own = `[${type.shape.join(',')}]`;
  if (!port.perm) return ` * Elements in the order of ${own}, the last axis fastest.`;
  return ` * The model's own shape [${port.shape.join(',')}] with its axes in the order ${port.perm.join(',')}: elements in the
 * order of ${own}, the last axis fastest.`;
}

/** A real number that shows the conversion: not zero, and inside the range. */
function exampleOf({ scale, zeroPoint }: Quantization): { real: number; stored: number } {
  const wanted = (zeroPoint[0] ?? 0) > 60 ? -25 : 25;
  const real = Number((wanted * scale[0]!).toPrecision(3));
  return { real, stored: clampInt8(storedValue(real, { scale: scale[0]!, zeroPoint: zeroPoint[0] ?? 0 })) };
}

function quantizationNote(quant: Quantization, helper: string, kind: Kind): string {
  const [scale, zero] = [floatLiteral(quant.scale[0]!).slice(0, -1), quant.zeroPoint[0] ?? 0];
  const { real, stored } = exampleOf(quant);
  const example =
    kind === 'input'
      ? `${helper}(${/[.e]/.test(String(real)) ? real : `${real}.0`}f) is ${stored}: ${real} / ${scale} rounded, plus ${zero}.`
      : `${helper}(${stored}) is about ${real}: ${scale} * (${stored} - ${zero}).`;
  return ` * real = ${scale} * (stored - ${zero}). For example ${example}`;
}

function helperText(name: string, { scale, zeroPoint }: Quantization, kind: Kind): string {
  const [real, zero] = [floatLiteral(scale[0]!), zeroPoint[0] ?? 0];
  return kind === 'input'
    ? `static inline int8_t ${name}(float real)\n{\n\treturn tml_quantize_real(real, ${real}, ${zero});\n}\n`
    : `static inline float ${name}(int8_t stored)\n{\n\treturn ${real} * (float)(stored - (${zero}));\n}\n`;
}

function portText(model: PlannedModel, port: Port, kind: Kind, i: number): string {
  const { type } = tensorOf(model.graph, port.value);
  const { prefix } = model;
  const upper = `${prefix}_${kind}_${i}`.toUpperCase();
  const element = `${kind === 'output' ? 'const ' : ''}${elementTypes.get(type.dtype) ?? 'uint8_t'}`;
  const helper = `${prefix}_${kind === 'input' ? 'quantize' : 'dequantize'}_${kind}_${i}`;
  const quant = type.dtype === 'int8' ? type.quant : undefined;
  return [
    `/* ${kind === 'input' ? 'Input' : 'Output'} ${i}, ${commentText(port.name)}.`,
    layoutNote(port, type),
    ...(quant ? [quantizationNote(quant, helper, kind)] : []),
    ' */',
    `#define ${upper}_COUNT ${elementCount(type.shape)}`,
    `#define ${upper}_BYTES ${byteCount(type)}`,
    `${element} *${prefix}_${kind}_${i}(void);`,
    '',
    ...(quant ? [helperText(helper, quant, kind)] : []),
  ].join('\n');
}

function usage({ prefix, graph }: PlannedModel): string {
  const [input] = graph.inputs;
  const quantized = input && tensorOf(graph, input.value).type.dtype === 'int8';
  const value = quantized ? `${prefix}_quantize_input_0(real[i])` : 'real[i]';
  return `/* Use:
 *   ${prefix}_init();
 *   for (i = 0; i < ${prefix.toUpperCase()}_INPUT_0_COUNT; i++)
 *     ${prefix}_input_0()[i] = ${value};
 *   ${prefix}_invoke();
 *   read ${prefix}_output_0()[0 .. ${prefix.toUpperCase()}_OUTPUT_0_COUNT - 1]
 * The input may share its memory with later tensors: write it before every ${prefix}_invoke(). */`;
}

function arenaSizes({ prefix, memory }: PlannedModel): string[] {
  const [main, ...others] = memory.arenas.map((bytes, arena) => ({ bytes, arena }));
  const upper = prefix.toUpperCase();
  const all = others.every(({ bytes }) => bytes === 0) ? 'all tensors' : 'most tensors';
  return [
    `#define ${upper}_ARENA_BYTES ${Math.max(1, main!.bytes)} /* RAM for ${all}, a static array of the model's own */`,
    ...others
      .filter(({ bytes }) => bytes > 0)
      .map(({ bytes, arena }) => `#define ${upper}_ARENA_${arena}_BYTES ${bytes} /* in another memory */`),
  ];
}

/** The text of `<prefix>.h`. */
export function modelHeader(model: PlannedModel, options: AotOptions): string {
  const { prefix, graph, weightsBytes } = model;
  const upper = prefix.toUpperCase();
  return [
    banner(options),
    `#ifndef TML_GENERATED_${upper}_H`,
    `#define TML_GENERATED_${upper}_H`,
    '',
    '#include "tml_model.h"',
    '#include "tml_quantize.h"',
    '',
    usage(model),
    '',
    ...arenaSizes(model),
    `#define ${upper}_WEIGHTS_BYTES ${weightsBytes} /* constants in flash */`,
    `#define ${upper}_LAYER_COUNT ${model.layers.length}`,
    '',
    '/* Both return TML_OK. */',
    `int ${prefix}_init(void);`,
    `int ${prefix}_invoke(void);`,
    '',
    ...graph.inputs.map((port, i) => portText(model, port, 'input', i)),
    ...graph.outputs.map((port, i) => portText(model, port, 'output', i)),
    '/* The same for programs that take any model, such as the benchmark. */',
    `extern const struct tml_model ${prefix}_info;`,
    '',
    '#endif',
    '',
  ].join('\n');
}
