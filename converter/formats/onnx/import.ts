import { TinymlError } from '../../../common/tinyml-error.ts';
import { pruneUnused } from '../../ir/graph.ts';
import type { Graph, Port, Shape, Value } from '../../ir/types.ts';
import { type ModelWithGraph, readModel } from './container/read-model.ts';
import type { ValueInfoProto } from './container/schema.ts';
import {
  constantOutput,
  fileTooLarge,
  inFile,
  noInputs,
  nothingToCompute,
  unnamedValue,
  unsupportedOperators,
} from './errors.ts';
import { Flattener } from './graph/flatten.ts';
import { inputTypes } from './graph/input-shapes.ts';
import { checkVersions } from './graph/opsets.ts';
import { orderNodes } from './graph/order-nodes.ts';
import { claim, Scope } from './graph/scope.ts';
import { NodeImporter } from './import-nodes.ts';
import { mostExternalBytes } from './limits.ts';
import { GraphBuilder, NodeBuilder } from './lower/builder.ts';
import type { ReadExternal } from './tensor/external-data.ts';

export interface ImportOnnxOptions {
  /** For messages only. */
  readonly fileName: string;
  /** Shapes for inputs whose dimensions the file leaves open, by input name. */
  readonly inputShapes?: ReadonlyMap<string, Shape>;
  /** Reads files of external data; without it such tensors are refused. */
  readonly readExternal?: ReadExternal;
}

export interface ImportedModel {
  readonly graph: Graph;
  /** Decisions that the user should know of, one sentence each. */
  readonly notes: readonly string[];
}

/** Inputs that a caller must give: those without an initializer. */
function ownInputs({ graph }: ModelWithGraph): readonly ValueInfoProto[] {
  const stored = new Set(graph.initializer.map(({ name }) => name ?? ''));
  for (const { values } of graph.sparseInitializer) stored.add(values?.name ?? '');
  const inputs = graph.input.filter(({ name }) => !stored.has(name ?? ''));
  if (inputs.length === 0) throw noInputs();
  if (inputs.some(({ name }) => !name)) throw unnamedValue('input');
  return inputs;
}

function outputNames({ graph }: ModelWithGraph): readonly string[] {
  if (graph.output.length === 0) throw nothingToCompute();
  if (graph.output.some(({ name }) => !name)) throw unnamedValue('output');
  return graph.output.map(({ name }) => name ?? '');
}

/** Initializers and inputs as the first names of the main graph. */
function mainScope(
  { graph }: ModelWithGraph,
  inputs: readonly ValueInfoProto[],
  flattener: Flattener,
): Scope {
  const scope = new Scope();
  const initializers = [...graph.initializer, ...graph.sparseInitializer.map(({ values }) => values)];
  for (const value of [...initializers, ...inputs]) {
    const name = value?.name ?? '';
    scope.define(name, claim(flattener.names, name));
  }
  return scope;
}

/** An output that is an input, or a constant, has no node that could make it. */
function outputPort(name: string, value: Value, inputs: readonly Port[], builder: GraphBuilder): Port {
  if (value.data) throw constantOutput(name);
  const { shape } = value.type;
  const isInput = inputs.some((port) => port.value === value.name);
  const made = isInput ? new NodeBuilder(builder, name, name).emit('reshape', [value], { shape }) : value;
  return { name, value: made.name, shape };
}

/** Bounds what is read: many tensors may point to the same bytes. */
function limitedReader(readExternal: ReadExternal): ReadExternal {
  let left = mostExternalBytes;
  return (location, offset, length) => {
    left -= length;
    if (left < 0) throw fileTooLarge('bytes of external data', mostExternalBytes);
    return readExternal(location, offset, length);
  };
}

function importModel(model: ModelWithGraph, options: ImportOnnxOptions): ImportedModel {
  const notes: string[] = [];
  const opsets = checkVersions(model, notes);
  const inputs = ownInputs(model);
  const wanted = outputNames(model);
  const builder = new GraphBuilder();
  const readExternal = options.readExternal && limitedReader(options.readExternal);
  const flattener = new Flattener(model.functions);
  const scope = mainScope(model, inputs, flattener);
  const importer = new NodeImporter(builder, flattener, readExternal);
  const types = inputTypes(inputs, options.inputShapes ?? new Map(), notes);
  const inputPorts = [...types].map(([name, type]): Port => {
    return { name, value: importer.addInput(name, type).name, shape: type.shape };
  });
  importer.addInitializers(model.graph, (name) => name);
  const flat = flattener.mainGraph(model.graph, scope, opsets);
  const ordered = orderNodes(flat, (name) => importer.isKnown(name), wanted);
  importer.run(ordered);
  if (importer.refused.length > 0) throw unsupportedOperators(importer.refused, ordered.length);
  const outputs = wanted.map((name) => outputPort(name, importer.value(name)!, inputPorts, builder));
  const { nodes, values, storedScales } = builder;
  const name = model.graph.name || 'model';
  const scales = storedScales.length > 0 ? { storedScales } : {};
  return { graph: pruneUnused({ name, nodes, values, inputs: inputPorts, outputs, ...scales }), notes };
}

/**
 * The graph of an ONNX file, in the IR's own operators and layout; transposes stand where ONNX has channels first.
 * Throws TinymlError with a code that starts with E_ONNX_ (or E_MODEL_ where shapes do not fit) and exit code 1;
 * its text begins with `fileName`.
 */
export function importOnnx(bytes: Uint8Array, options: ImportOnnxOptions): ImportedModel {
  try {
    return importModel(readModel(bytes), options);
  } catch (error) {
    throw error instanceof TinymlError ? inFile(options.fileName, error) : error;
  }
}
