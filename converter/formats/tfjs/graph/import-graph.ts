import type { Port, Value } from '../../../ir/types.ts';
import { type GraphBuilder, LayerBuilder } from '../builder.ts';
import { damagedAt, damagedTfjs, tooLargeTfjs, unsupportedKind } from '../errors.ts';
import { type InputShapes, inputShape } from '../input-shape.ts';
import { Fields, isObject, type Json } from '../json.ts';
import type { ImportedPorts } from '../layers/import-layers.ts';
import { mostNodes } from '../limits.ts';
import type { Weight } from '../weights.ts';
import { computing } from './compute.ts';
import { elementwise } from './elementwise.ts';
import { type LowerNode, NodeAttributes } from './node.ts';
import { shaping } from './shapes.ts';

/** Every operator of a TensorFlow graph that can be converted, beside inputs and constants. */
export const graphOperators: ReadonlyMap<string, LowerNode> = new Map(
  Object.entries({ ...computing, ...elementwise, ...shaping }),
);

interface Entry {
  readonly name: string;
  readonly op: string;
  /** Names of nodes with the number of their result. */
  readonly inputs: readonly { readonly node: string; readonly result: number }[];
  readonly attrs: NodeAttributes;
}

/** "name", "name:1"; "^name" only says that something runs before. */
function reference(text: Json): { node: string; result: number } | undefined {
  if (typeof text !== 'string') throw damagedTfjs('an input of a node is not a name');
  if (text.startsWith('^')) return undefined;
  const match = /^(.*?)(?::(\d{1,4}))?$/s.exec(text)!;
  return { node: match[1]!, result: Number(match[2] ?? 0) };
}

function entryOf(item: Json, index: number): Entry {
  const fields = new Fields(`node[${index}]`, item);
  const name = fields.text('name');
  const inputs = (fields.has('input') ? fields.list('input') : [])
    .map(reference)
    .filter((one) => one !== undefined);
  const attrs = fields.raw('attr');
  return {
    name,
    op: fields.text('op'),
    inputs,
    attrs: new NodeAttributes(name, isObject(attrs) ? attrs : {}),
  };
}

const inputKinds = new Set(['Placeholder', 'PlaceholderWithDefault']);
const silentKinds = new Set(['Const', 'NoOp', 'Placeholder', 'PlaceholderWithDefault']);

/** What is needed for the outputs, in an order in which inputs come first. Throws where a node needs itself. */
function ordered(entries: ReadonlyMap<string, Entry>, outputs: readonly string[]): Entry[] {
  const state = new Map<string, 'open' | 'done'>();
  const order: Entry[] = [];
  const stack = [...outputs].reverse();
  while (stack.length > 0) {
    const name = stack.at(-1)!;
    const entry = entries.get(name);
    if (!entry) throw damagedAt(name, 'is used and is no node');
    if (state.get(name) === 'done') {
      stack.pop();
    } else if (state.get(name) === 'open') {
      state.set(name, 'done');
      order.push(entry);
      stack.pop();
    } else {
      state.set(name, 'open');
      for (const { node } of [...entry.inputs].reverse()) {
        if (state.get(node) === 'open') throw damagedAt(node, 'depends on itself');
        if (!state.has(node)) stack.push(node);
      }
    }
  }
  return order;
}

/** Names of the outputs: those of the signature, or else what nobody reads. */
function outputNames(signature: Fields | undefined, entries: ReadonlyMap<string, Entry>): string[] {
  const listed = signature?.has('outputs') ? signature.object('outputs') : undefined;
  const names = listed?.keys().map((key) => listed.object(key).text('name', key)) ?? [];
  if (names.length > 0) return names;
  const read = new Set([...entries.values()].flatMap(({ inputs }) => inputs.map(({ node }) => node)));
  return [...entries.values()]
    .filter(({ name, op }) => !read.has(name) && !silentKinds.has(op))
    .map(({ name }) => name);
}

function declaredShape({ name, attrs }: Entry): (number | null)[] {
  const shape = attrs.shape('shape');
  if (!shape) throw damagedAt(name, 'is an input of unknown shape');
  return shape.map((size) => (size < 0 ? null : size));
}

function constant(weight: Weight): Value {
  const { name, shape, data } = weight;
  return { name, type: { dtype: data instanceof Float32Array ? 'float32' : 'int32', shape }, data };
}

function refuseUnknown(order: readonly Entry[]): void {
  const unknown = order.find(({ op }) => !silentKinds.has(op) && !graphOperators.has(op));
  if (!unknown) return;
  const alike = order.filter(({ op }) => op === unknown.op).map(({ name }) => name);
  throw unsupportedKind('operator', unknown.op, alike, order.length, [...graphOperators.keys()].sort());
}

/** A graph model: TensorFlow's GraphDef as JSON, constants in the weights by node name. */
export function importGraph(
  topology: Fields,
  signature: Fields | undefined,
  weights: ReadonlyMap<string, Weight>,
  graph: GraphBuilder,
  given: InputShapes,
): ImportedPorts {
  const list = topology.list('node');
  if (list.length > mostNodes) throw tooLargeTfjs('nodes', mostNodes);
  const entries = new Map(list.map(entryOf).map((entry) => [entry.name, entry]));
  const wanted = outputNames(signature, entries).map((name) => reference(name)!);
  if (wanted.length === 0) throw damagedTfjs('it has no outputs');
  const order = ordered(
    entries,
    wanted.map(({ node }) => node),
  );
  refuseUnknown(order);
  const made = new Map<string, readonly Value[]>();
  const inputs: Port[] = [];
  for (const entry of order) {
    const { name, op } = entry;
    if (inputKinds.has(op)) {
      const shape = inputShape(name, declaredShape(entry), given);
      const value = graph.input(name, shape);
      inputs.push({ name, value: value.name, shape });
      made.set(name, [value]);
    } else if (op === 'Const') {
      const weight = weights.get(name);
      if (!weight) throw damagedAt(name, 'is a constant without content in the weights');
      made.set(name, [constant(weight)]);
    } else if (op !== 'NoOp') {
      const values = entry.inputs.map(({ node, result }) => {
        const value = made.get(node)?.[result];
        if (!value)
          throw damagedAt(name, `reads result ${result} of ${node.slice(0, 200)}, which there is not`);
        return value;
      });
      const build = new LayerBuilder(graph, name);
      const results = graphOperators.get(op)!({ op, attrs: entry.attrs, inputs: values, build });
      made.set(name, Array.isArray(results) ? results : [results as Value]);
    }
  }
  const outputs = wanted.map(({ node, result }): Port => {
    const value = made.get(node)?.[result];
    if (!value || value.data) throw damagedAt(node, 'is an output that does not depend on any input');
    const own = inputs.some((port) => port.value === value.name)
      ? new LayerBuilder(graph, node).emit('reshape', [value], { shape: value.type.shape })
      : value;
    return { name: node, value: own.name, shape: own.type.shape };
  });
  return { name: 'model', inputs, outputs };
}
