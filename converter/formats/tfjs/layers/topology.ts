import { damagedAt } from '../errors.ts';
import { Fields, isObject, type Json } from '../json.ts';

/** The result number `tensor` of the call number `call` of a layer. */
export interface TensorRef {
  readonly layer: string;
  readonly call: number;
  readonly tensor: number;
}

export interface LayerSpec {
  readonly kind: string;
  readonly name: string;
  readonly config: Fields;
  /** Inputs of each call; a shared layer is called more than once. */
  readonly calls: readonly (readonly TensorRef[])[];
}

export interface ModelSpec {
  readonly name: string;
  readonly layers: readonly LayerSpec[];
  readonly inputs: readonly TensorRef[];
  readonly outputs: readonly TensorRef[];
}

export const modelKinds: ReadonlySet<string> = new Set(['Sequential', 'Functional', 'Model']);

function isRef(item: Json): item is [string, number, number] {
  return (
    Array.isArray(item) &&
    item.length >= 3 &&
    typeof item[0] === 'string' &&
    Number.isSafeInteger(item[1]) &&
    Number.isSafeInteger(item[2])
  );
}

const toRef = ([layer, call, tensor]: readonly [string, number, number]): TensorRef => ({
  layer,
  call,
  tensor,
});

/** One reference, a list of them, or a list that Keras left out where there is one. */
function refsOf(fields: Fields, key: string): TensorRef[] {
  const list = fields.list(key);
  if (isRef(list)) return [toRef(list)];
  return list.map((item) => {
    if (!isRef(item)) throw fields.wrong(key, 'names no layer');
    return toRef(item);
  });
}

const mostDepth = 8;

/** Keras 3 writes the arguments of a call; the tensors among them tell where they come from. */
function tensorsWithin(item: Json, found: TensorRef[], depth: number): void {
  if (depth > mostDepth) return;
  if (Array.isArray(item)) for (const part of item) tensorsWithin(part, found, depth + 1);
  if (!isObject(item) || item['class_name'] !== '__keras_tensor__' || !isObject(item['config'])) return;
  const history = item['config']['keras_history'];
  if (isRef(history)) found.push(toRef(history));
}

function callOf(place: string, node: Json): TensorRef[] {
  if (isObject(node)) {
    const found: TensorRef[] = [];
    tensorsWithin(node['args'], found, 0);
    return found;
  }
  if (Array.isArray(node) && node.every(isRef)) return node.map(toRef);
  throw damagedAt(place, 'has inbound nodes that cannot be read');
}

function layerSpec(entry: Json, index: number): LayerSpec {
  const fields = new Fields(`layers[${index}]`, entry);
  const kind = fields.text('class_name');
  const config = fields.object('config');
  const name = fields.text('name', config.text('name', `${kind}_${index}`));
  const nodes = fields.has('inbound_nodes') ? fields.list('inbound_nodes') : [];
  return {
    kind,
    name,
    config: new Fields(name, fields.raw('config')),
    calls: nodes.map((node) => callOf(name, node)),
  };
}

/** Where no input layer stands first, the first layer says which shape it takes; of a model, its own first layer. */
function impliedInput(first: LayerSpec, depth = 0): LayerSpec {
  if (modelKinds.has(first.kind) && depth < mostDepth) {
    const inner = modelSpec(first.name, first.kind, first.config.content);
    const own = inner.layers.find(({ name }) => name === inner.inputs[0]?.layer);
    if (own) return { ...impliedInput(own, depth + 1), name: `${first.name}_input` };
  }
  return { ...first, kind: 'InputLayer', name: `${first.name}_input`, calls: [] };
}

/** A chain: every layer takes the result of the one before. */
function sequential(name: string, layers: readonly LayerSpec[], place: string): ModelSpec {
  const first = layers[0];
  if (!first) throw damagedAt(place, 'has no layers');
  const hasInput = first.kind === 'InputLayer';
  const input = hasInput ? first : impliedInput(first);
  const rest = hasInput ? layers.slice(1) : layers;
  const chain = [input, ...rest].map((layer, i, all) => {
    return i === 0 ? layer : { ...layer, calls: [[{ layer: all[i - 1]!.name, call: 0, tensor: 0 }]] };
  });
  const end = (layer: LayerSpec): TensorRef => ({ layer: layer.name, call: 0, tensor: 0 });
  return { name, layers: chain, inputs: [end(input)], outputs: [end(chain.at(-1)!)] };
}

/** What `class_name` and `config` say of a model, whatever version of Keras or tfjs wrote them. */
export function modelSpec(place: string, kind: string, config: Json): ModelSpec {
  if (kind === 'Sequential') {
    const list = Array.isArray(config) ? config : new Fields(place, config).list('layers');
    const name = isObject(config) && typeof config['name'] === 'string' ? config['name'] : 'sequential';
    return sequential(name, list.map(layerSpec), place);
  }
  const fields = new Fields(place, config);
  return {
    name: fields.text('name', 'model'),
    layers: fields.list('layers').map(layerSpec),
    inputs: refsOf(fields, 'input_layers'),
    outputs: refsOf(fields, 'output_layers'),
  };
}
