import { tensorOf } from '../ir/graph.ts';
import { byteCount } from '../ir/tensor.ts';
import type { Port } from '../ir/types.ts';
import type { AotOptions } from './aot-options.ts';
import { banner } from './banner.ts';
import { commentText, structInitialiser } from './c-text.ts';
import { type ArenaPlace, totalBytes } from './plan-model-memory.ts';
import type { Place, PlannedCall, PlannedLayer, PlannedModel } from './planned-model.ts';

const arenaName = (arena: number) => (arena === 0 ? 'tml_arena' : `tml_arena_${arena}`);
const address = ({ arena, offset }: ArenaPlace) => `${arenaName(arena)} + ${offset}`;

function placeText(type: string, place: Place): string {
  if ('constant' in place) return place.constant;
  return `(${type} *)(void *)(${address(place)})`;
}

/** An array in each memory that the model needs, the first of them where a program's data are anyway. */
function arenaTexts({ prefix, memory }: PlannedModel, { regions = [] }: AotOptions): string[] {
  const upper = prefix.toUpperCase();
  return memory.arenas.flatMap((bytes, arena) => {
    if (arena > 0 && bytes === 0) return [];
    const size = arena === 0 ? `${upper}_ARENA_BYTES` : `${upper}_ARENA_${arena}_BYTES`;
    const section = regions[arena]?.section;
    const attribute = section === undefined ? '' : ` __attribute__((section("${section}")))`;
    return [`static uint8_t ${arenaName(arena)}[${size}] TML_ALIGN(16)${attribute};`];
  });
}

function callText({ call, struct, operands }: PlannedCall, step: string, shared: boolean): string {
  const name = shared ? `shared_${call.kernel}` : `tml_${call.kernel}`;
  const args = operands.map(({ type, place }) => placeText(type, place));
  return `\tstatic const struct ${struct} p${step} = ${structInitialiser(call)};\n@\t${name}(${[`&p${step}`, ...args].join(', ')});\n`;
}

/** Declarations first, then the calls. */
function bodyText(calls: readonly PlannedCall[], shared: boolean): string {
  const parts = calls.map((call, i) => callText(call, calls.length > 1 ? String(i) : '', shared).split('@'));
  return `${parts.map(([declaration]) => declaration).join('')}\n\tTML_EFFECT();\n${parts.map(([, statement]) => statement).join('')}`;
}

function layerComment({ name, op, inShape, outShape, macs }: PlannedLayer, index: number): string {
  const work = macs > 0 ? `, ${macs} MACs` : '';
  return `/* ${index}: ${commentText(name)}\n * ${op} [${inShape.join(',')}] -> [${outShape.join(',')}]${work} */`;
}

function layerText(layer: PlannedLayer, index: number, shared: boolean): string {
  const note =
    layer.calls.length === 0 ? '\t/* the result is in its place already */\n' : bodyText(layer.calls, shared);
  return `${layerComment(layer, index)}\nstatic void layer_${index}(void)\n{\n${note}}\n`;
}

/** For `size`: each kernel compiled once, as a function of its parameter struct. */
function sharedKernel({ call, struct, operands }: PlannedCall): string {
  const names = operands.map((_, i) => (i === operands.length - 1 ? 'y' : `a${i}`));
  const parameters = operands.map(({ type }, i) => `${type} *${names[i]}`);
  return [
    `TML_SHARED void shared_${call.kernel}(const struct ${struct} *p, ${parameters.join(', ')})`,
    '{',
    '\tTML_EFFECT();',
    `\ttml_${call.kernel}(${['p', ...names].join(', ')});`,
    '}',
    '',
  ].join('\n');
}

function sharedKernels(layers: readonly PlannedLayer[]): string[] {
  const byKernel = new Map<string, PlannedCall>();
  for (const layer of layers) for (const call of layer.calls) byKernel.set(call.call.kernel, call);
  return [...byKernel.values()].map(sharedKernel);
}

const typeCodes = new Map([
  ['float32', 'TML_TYPE_FLOAT32'],
  ['int8', 'TML_TYPE_INT8'],
  ['int16', 'TML_TYPE_INT16'],
  ['int32', 'TML_TYPE_INT32'],
  ['uint8', 'TML_TYPE_UINT8'],
]);

function tensorTable(model: PlannedModel, name: string, ports: readonly Port[]): string {
  const rows = ports.map(({ value }) => {
    const { type } = tensorOf(model.graph, value);
    const code = typeCodes.get(type.dtype) ?? 'TML_TYPE_UINT8';
    return `\t{${address(model.memory.places.get(value)!)}, ${byteCount(type)}, ${code}},`;
  });
  return `static const struct tml_tensor ${name}[] = {\n${rows.join('\n')}\n};\n`;
}

function layerTable(layers: readonly PlannedLayer[]): string {
  const rows = layers.map(
    (layer, index) => `\t{layer_${index}, ${address(layer.place)}, ${layer.outputBytes}},`,
  );
  return `static const struct tml_layer layers[] = {\n${rows.join('\n')}\n};\n`;
}

function hashBytes(hash: string): string {
  const bytes = hash.slice(0, 16).match(/../g) ?? [];
  return `{${bytes.map((byte) => `0x${byte}`).join(', ')}}`;
}

function accessors({ graph, prefix, memory }: PlannedModel): string {
  const types = new Map([
    ['float32', 'float'],
    ['int8', 'int8_t'],
    ['int16', 'int16_t'],
    ['int32', 'int32_t'],
    ['uint8', 'uint8_t'],
  ]);
  const accessor = (kind: string, qualifier: string) => (port: Port, i: number) => {
    const type = `${qualifier}${types.get(tensorOf(graph, port.value).type.dtype) ?? 'uint8_t'}`;
    return `${type} *${prefix}_${kind}_${i}(void)\n{\n\treturn (${type} *)(void *)(${address(memory.places.get(port.value)!)});\n}\n`;
  };
  return [
    ...graph.inputs.map(accessor('input', '')),
    ...graph.outputs.map(accessor('output', 'const ')),
  ].join('\n');
}

function modelTable({ graph, prefix, layers, memory, weightsBytes }: PlannedModel, hash: string): string {
  return `const struct tml_model ${prefix}_info = {
	.hash = ${hashBytes(hash)},
	.inputs = inputs,
	.outputs = outputs,
	.layers = layers,
	.input_count = ${graph.inputs.length},
	.output_count = ${graph.outputs.length},
	.layer_count = ${layers.length},
	.arena_bytes = ${totalBytes(memory)},
	.weights_bytes = ${weightsBytes},
	.init = ${prefix}_init,
	.invoke = ${prefix}_invoke,
};
`;
}

function entryPoints({ prefix, layers }: PlannedModel): string {
  const calls = layers.flatMap((layer, index) => (layer.calls.length > 0 ? [`\tlayer_${index}();\n`] : []));
  return [
    `int ${prefix}_init(void)\n{\n\treturn TML_OK;\n}\n`,
    `int ${prefix}_invoke(void)\n{\n${calls.join('')}\treturn TML_OK;\n}\n`,
  ].join('\n');
}

/** The text of `<prefix>.c`. */
export function modelSource(model: PlannedModel, options: AotOptions): string {
  const shared = options.optimize === 'size';
  return [
    banner(options),
    [`"${model.prefix}.h"`, ...model.headers.map((header) => `"${header}"`)]
      .map((name) => `#include ${name}`)
      .join('\n'),
    '',
    ...arenaTexts(model, options),
    '',
    ...model.constants.map(({ text }) => text),
    ...model.functions,
    ...(shared ? sharedKernels(model.layers) : []),
    ...model.layers.map((layer, index) => layerText(layer, index, shared)),
    entryPoints(model),
    accessors(model),
    tensorTable(model, 'inputs', model.graph.inputs),
    tensorTable(model, 'outputs', model.graph.outputs),
    layerTable(model.layers),
    modelTable(model, options.modelHash),
  ].join('\n');
}
