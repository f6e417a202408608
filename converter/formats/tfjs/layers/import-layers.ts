import type { Port, Value } from '../../../ir/types.ts';
import { type GraphBuilder, LayerBuilder } from '../builder.ts';
import { damagedAt, tooLargeTfjs, unsupportedKind, weightMissing, weightShape } from '../errors.ts';
import type { InputShapes } from '../input-shape.ts';
import { inputShape } from '../input-shape.ts';
import type { Fields } from '../json.ts';
import { mostNesting, mostNodes } from '../limits.ts';
import type { Weight } from '../weights.ts';
import { layerKinds } from './table.ts';
import { type LayerSpec, type ModelSpec, modelKinds, modelSpec, type TensorRef } from './topology.ts';

export interface ImportedPorts {
  readonly name: string;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

const keyOf = ({ layer, call, tensor }: TensorRef) => JSON.stringify([layer, call, tensor]);

/** Weights by the end of their names: model and layer stand before them in several ways. */
class WeightFinder {
  private readonly constants = new Map<string, Value>();
  private readonly byEnd = new Map<string, Value | 'several'>();

  constructor(weights: ReadonlyMap<string, Weight>) {
    for (const { name, shape, data } of weights.values()) {
      const value: Value = {
        name,
        type: { dtype: data instanceof Float32Array ? 'float32' : 'int32', shape },
        data,
      };
      // Keras adds ":0" to the names of variables.
      const plain = name.replace(/:0$/, '');
      this.constants.set(plain, value);
      const parts = plain.split('/');
      for (let i = 1; i < Math.min(parts.length - 1, 8); i++) {
        const end = parts.slice(i).join('/');
        this.byEnd.set(end, this.byEnd.has(end) ? 'several' : value);
      }
    }
  }

  find(path: readonly string[], layer: string, name: string): Value {
    const exact = [...path, layer].map((_, i, all) => [...all.slice(i), name].join('/'));
    const found = exact.map((key) => this.constants.get(key)).find((value) => value !== undefined);
    const ending = found ?? this.byEnd.get(`${layer}/${name}`);
    if (ending === undefined) throw weightMissing(layer, name);
    if (ending === 'several') throw weightShape(layer, name, 'are in the manifest under several names');
    return ending;
  }
}

class LayersImporter {
  private readonly graph: GraphBuilder;
  private readonly weights: WeightFinder;
  private left = mostNodes;

  constructor(graph: GraphBuilder, weights: ReadonlyMap<string, Weight>) {
    this.graph = graph;
    this.weights = new WeightFinder(weights);
  }

  /** Runs a model on given values; resolves the calls of its layers in an order in which their inputs are there. */
  run(model: ModelSpec, given: readonly Value[], path: readonly string[]): Value[] {
    if (path.length > mostNesting) throw tooLargeTfjs('models within models', mostNesting);
    if (given.length !== model.inputs.length) {
      throw damagedAt(model.name, `takes ${model.inputs.length} inputs and is given ${given.length}`);
    }
    const made = new Map<string, Value>();
    for (const [i, ref] of model.inputs.entries()) made.set(keyOf(ref), given[i]!);
    const inputNames = new Set(model.inputs.map((ref) => ref.layer));
    const calls = model.layers
      .filter((layer) => !inputNames.has(layer.name))
      .flatMap((layer) => layer.calls.map((inputs, call) => ({ layer, inputs, call })));
    this.left -= calls.length;
    if (this.left < 0) throw tooLargeTfjs('layers', mostNodes);
    // What waits for a value is looked at again when that value is there.
    const waiting = new Map<string, typeof calls>();
    const ready = [...calls].reverse();
    for (let next = ready.pop(); next; next = ready.pop()) {
      const missing = next.inputs.map(keyOf).find((key) => !made.has(key));
      if (missing !== undefined) {
        const others = waiting.get(missing);
        if (others) others.push(next);
        else waiting.set(missing, [next]);
        continue;
      }
      const inputs = next.inputs.map((ref) => made.get(keyOf(ref))!);
      for (const [tensor, value] of this.call(next.layer, inputs, path).entries()) {
        const key = keyOf({ layer: next.layer.name, call: next.call, tensor });
        made.set(key, value);
        for (const one of waiting.get(key) ?? []) ready.push(one);
        waiting.delete(key);
      }
    }
    return model.outputs.map((ref) => {
      const value = made.get(keyOf(ref));
      if (!value) throw damagedAt(ref.layer, 'is an output that nothing computes');
      return value;
    });
  }

  private call(layer: LayerSpec, inputs: readonly Value[], path: readonly string[]): Value[] {
    const { kind, name, config } = layer;
    if (modelKinds.has(kind)) {
      const inner = modelSpec(name, kind, config.content);
      return this.run(inner, inputs, [...path, name]);
    }
    const lower = layerKinds.get(kind)!;
    const build = new LayerBuilder(this.graph, name);
    const weight = (wanted: string) => this.weights.find(path, name, wanted);
    return [lower({ kind, config, inputs, build, weight })];
  }
}

/** All layers, those of models within models too. */
function everyLayer(model: ModelSpec, depth = 0): LayerSpec[] {
  if (depth > mostNesting) throw tooLargeTfjs('models within models', mostNesting);
  return model.layers.flatMap((layer) =>
    modelKinds.has(layer.kind)
      ? everyLayer(modelSpec(layer.name, layer.kind, layer.config.content), depth + 1)
      : [layer],
  );
}

function refuseUnknown(model: ModelSpec): void {
  const layers = everyLayer(model);
  if (layers.length > mostNodes) throw tooLargeTfjs('layers', mostNodes);
  const unknown = layers.find(({ kind }) => kind !== 'InputLayer' && !layerKinds.has(kind));
  if (!unknown) return;
  const alike = layers.filter(({ kind }) => kind === unknown.kind).map(({ name }) => name);
  throw unsupportedKind('layer', unknown.kind, alike, layers.length, [...layerKinds.keys()].sort());
}

/** The sizes an input layer declares, null where they are open. */
function declaredShape({ config }: LayerSpec): (number | null)[] {
  for (const key of ['batch_input_shape', 'batch_shape']) {
    if (config.has(key)) return config.list(key).map((size) => (typeof size === 'number' ? size : null));
  }
  if (config.has('input_shape')) return [null, ...config.integers('input_shape')];
  throw damagedAt(config.place, 'does not say which shape its input has');
}

/** A layers model: `modelTopology.model_config` and the weights by name. */
export function importLayers(
  topology: Fields,
  weights: ReadonlyMap<string, Weight>,
  graph: GraphBuilder,
  given: InputShapes,
): ImportedPorts {
  const config = topology.has('model_config') ? topology.object('model_config') : topology;
  const spec = modelSpec('model', config.text('class_name'), config.raw('config'));
  refuseUnknown(spec);
  const ports = spec.inputs.map((ref): { port: Port; value: Value } => {
    const layer = spec.layers.find(({ name }) => name === ref.layer);
    if (!layer) throw damagedAt(ref.layer, 'is an input that is no layer');
    const shape = inputShape(layer.name, declaredShape(layer), given);
    const value = graph.input(layer.name, shape);
    return { port: { name: layer.name, value: value.name, shape }, value };
  });
  const inputs = ports.map(({ port }) => port);
  const results = new LayersImporter(graph, weights).run(
    spec,
    ports.map(({ value }) => value),
    [],
  );
  const outputs = results.map((value, i): Port => {
    const { layer } = spec.outputs[i]!;
    const made = inputs.some((port) => port.value === value.name)
      ? new LayerBuilder(graph, layer).emit('reshape', [value], { shape: value.type.shape })
      : value;
    return { name: layer, value: made.name, shape: made.type.shape };
  });
  return { name: spec.name, inputs, outputs };
}
