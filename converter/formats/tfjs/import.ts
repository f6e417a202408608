import { TinymlError } from '../../../common/tinyml-error.ts';
import { pruneUnused } from '../../ir/graph.ts';
import type { Graph } from '../../ir/types.ts';
import { GraphBuilder } from './builder.ts';
import { damagedTfjs, inTfjsFile, noSuchInput } from './errors.ts';
import { importGraph } from './graph/import-graph.ts';
import type { InputShapes } from './input-shape.ts';
import { Fields, type Json } from './json.ts';
import { importLayers } from './layers/import-layers.ts';
import { readWeights } from './weights.ts';

export interface ImportTfjsOptions {
  readonly fileName: string;
  readonly inputShapes?: InputShapes;
  readonly readExternal?: (location: string, offset: number, length: number | undefined) => Uint8Array;
}

function parse(bytes: Uint8Array): Fields {
  let document: Json;
  try {
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw damagedTfjs('it is not JSON');
  }
  return new Fields('model.json', document);
}

function importDocument(document: Fields, { readExternal, inputShapes = new Map() }: ImportTfjsOptions) {
  if (!document.has('modelTopology')) {
    throw damagedTfjs('it has no "modelTopology"; a model.json of TensorFlow.js is expected');
  }
  const topology = document.object('modelTopology');
  const readFile = (path: string) => {
    if (!readExternal) throw damagedTfjs('its weights stand in files that are not at hand');
    return readExternal(path, 0, undefined);
  };
  const manifest = document.has('weightsManifest') ? document.list('weightsManifest') : [];
  const weights = readWeights(manifest, readFile);
  const builder = new GraphBuilder();
  const signature = document.has('signature') ? document.object('signature') : undefined;
  const { name, inputs, outputs } = topology.has('node')
    ? importGraph(topology, signature, weights, builder, inputShapes)
    : importLayers(topology, weights, builder, inputShapes);
  for (const wanted of inputShapes.keys()) {
    const names = inputs.map((port) => port.name);
    if (!names.includes(wanted)) throw noSuchInput(wanted, names);
  }
  const { nodes, values } = builder;
  return pruneUnused({ name, nodes, values, inputs, outputs });
}

/**
 * The graph of a TensorFlow.js model: a layers model (Keras layers) or a graph model (TensorFlow operators), with its
 * weights in the files that the manifest names. Throws TinymlError with a code that starts with E_TFJS_; its text
 * begins with `fileName`.
 */
export function importTfjs(
  bytes: Uint8Array,
  options: ImportTfjsOptions,
): { readonly graph: Graph; readonly notes: readonly string[] } {
  try {
    return { graph: importDocument(parse(bytes), options), notes: [] };
  } catch (error) {
    throw error instanceof TinymlError ? inTfjsFile(options.fileName, error) : error;
  }
}
