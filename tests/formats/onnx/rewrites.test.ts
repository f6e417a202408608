import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readMessage } from '../../../converter/formats/onnx/container/read-message.ts';
import { importOnnx } from '../../../converter/formats/onnx/import.ts';
import { bytesOf } from '../../../converter/ir/tensor.ts';
import type { Graph } from '../../../converter/ir/types.ts';
import { sharedFolder } from '../../support/oracle.ts';
import { type Draft, type EncodeOptions, encode } from './encode.ts';
import { everyFeature } from './every-feature.ts';

const shared = sharedFolder();

type Model = { graph: { initializer: Draft[]; node: Draft[] } & Draft } & Draft;

function decode(bytes: Uint8Array): Model {
  return readMessage('ModelProto', bytes) as unknown as Model;
}

/** Operators, attributes and elements, without names. */
function meaning(graph: Graph): unknown[] {
  const position = new Map([...graph.values.keys()].map((name, i) => [name, i]));
  return graph.nodes.map(({ op, inputs, attrs }) => ({
    op,
    attrs,
    inputs: inputs.map((name) => {
      const { type, data } = graph.values.get(name)!;
      return [type, data ? Buffer.from(bytesOf(data)).toString('base64') : position.get(name)];
    }),
  }));
}

function rawToTyped(tensor: Draft): Draft {
  const raw = tensor['rawData'] as Uint8Array | undefined;
  if (tensor['dataType'] !== 1 || !raw || raw.length === 0) return tensor;
  return { ...tensor, rawData: undefined, floatData: Array.from(new Float32Array(raw.slice().buffer)) };
}

const folder = new Map<string, Uint8Array>();

function rawToExternal(tensor: Draft): Draft {
  const raw = tensor['rawData'] as Uint8Array | undefined;
  if (!raw || raw.length === 0) return tensor;
  const location = `w${folder.size}`;
  folder.set(location, raw);
  return {
    ...tensor,
    rawData: undefined,
    dataLocation: 1,
    externalData: [{ key: 'location', value: location }],
  };
}

/** Every name of a value inside the graph replaced; ports keep theirs. */
function renamed(model: Model): Model {
  const kept = new Set(
    [...(model.graph['input'] as Draft[]), ...(model.graph['output'] as Draft[])].map(({ name }) => name),
  );
  const rename = (name: unknown) => (name === '' || kept.has(name) ? name : `__proto__ ${name}`);
  const list = (names: unknown) => (names as string[]).map(rename);
  const renameAttribute = (attribute: Draft): Draft => {
    const g = attribute['g'] as Draft | undefined;
    if (!g) return attribute;
    const output = (g['output'] as Draft[]).map((port) => ({ ...port, name: rename(port['name']) }));
    return { ...attribute, g: { ...g, output, node: (g['node'] as Draft[]).map(renameNode) } };
  };
  const renameNode = (node: Draft): Draft => ({
    ...node,
    input: list(node['input']),
    output: list(node['output']),
    attribute: (node['attribute'] as Draft[]).map(renameAttribute),
  });
  const { graph } = model;
  return {
    ...model,
    graph: {
      ...graph,
      initializer: graph.initializer.map((tensor) => ({ ...tensor, name: rename(tensor['name']) })),
      node: graph.node.map(renameNode),
    },
  };
}

function withTensors(model: Model, change: (tensor: Draft) => Draft): Model {
  return { ...model, graph: { ...model.graph, initializer: model.graph.initializer.map(change) } };
}

const rewrites: readonly (readonly [string, (model: Model) => Model, EncodeOptions])[] = [
  ['written again', (model) => model, {}],
  ['with lists packed', (model) => model, { packed: true }],
  ['with fields from last to first', (model) => model, { reversed: true }],
  ['with unknown fields everywhere', (model) => model, { unknownFields: true }],
  ['with all of these', (model) => model, { packed: true, reversed: true, unknownFields: true }],
  ['with typed instead of raw data', (model) => withTensors(model, rawToTyped), {}],
  ['with packed typed data', (model) => withTensors(model, rawToTyped), { packed: true }],
  ['with external data', (model) => withTensors(model, rawToExternal), {}],
  [
    'with nodes from last to first',
    (model) => ({ ...model, graph: { ...model.graph, node: [...model.graph.node].reverse() } }),
    {},
  ],
  ['with a newer IR version', (model) => ({ ...model, irVersion: 12 }), {}],
];

const seeds: readonly (readonly [string, () => Uint8Array])[] = [
  ['every feature', everyFeature],
  ...['digits_lenet', 'motor_tcn', 'motor_ae', 'kws_torch_legacy', 'kws_tf2onnx'].map(
    (name) => [name, () => readFileSync(join(shared ?? '', 'models', `${name}.onnx`))] as const,
  ),
];

function load(bytes: Uint8Array): Graph {
  const readExternal = (location: string) => folder.get(location)!;
  return importOnnx(bytes, { fileName: 'net.onnx', readExternal }).graph;
}

describe.each(seeds.slice(0, shared ? seeds.length : 1))('the same model, %s,', (_, read) => {
  const bytes = read();
  const expected = meaning(load(bytes));

  test.each(rewrites)('%s means the same', (what, change, options) => {
    const graph = load(encode('ModelProto', change(decode(bytes)), options));
    if (what.includes('last to first')) expect(sorted(meaning(graph))).toEqual(sorted(expected));
    else expect(meaning(graph)).toEqual(expected);
  });

  test('with other names means the same', () => {
    expect(meaning(load(encode('ModelProto', renamed(decode(bytes)))))).toEqual(expected);
  });
});

/** Order and positions may differ where nodes stood in another order. */
function sorted(nodes: readonly unknown[]): string[] {
  return nodes.map((node) => JSON.stringify(node).replace(/,\d+\]/g, ']')).sort();
}
