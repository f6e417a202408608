import { TinymlError } from '../../../common/tinyml-error.ts';
import type { TensorType, Value } from '../../ir/types.ts';
import type { GraphProto, TensorProto } from './container/schema.ts';
import {
  atNode,
  opsetNotSupported,
  type RefusedNode,
  sparseTensor,
  undefinedValue,
  unsupportedCode,
} from './errors.ts';
import { FoldBudget } from './fold/budget.ts';
import type { Constant, Folded } from './fold/folder.ts';
import { folders } from './fold/index.ts';
import { AttributeReader } from './graph/attribute-reader.ts';
import { type FlatNode, type Flattener, prefixOf } from './graph/flatten.ts';
import { newestOpset, oldestOpset } from './graph/opsets.ts';
import { orderNodes } from './graph/order-nodes.ts';
import { Scope } from './graph/scope.ts';
import { type GraphBuilder, NodeBuilder } from './lower/builder.ts';
import { lowerings } from './lower/index.ts';
import { runtimeOperators } from './lower/quantized.ts';
import { refusals } from './lower/refusals.ts';
import type { ReadExternal } from './tensor/external-data.ts';
import { readTensor } from './tensor/read-tensor.ts';

/** Stands for the results of a node that was refused. */
const refusedValue = Symbol('refused');
type Known = Value | typeof refusedValue;

const standardDomain = '';
/** ONNX Runtime's own operators. */
const runtimeDomain = 'com.microsoft';

/** Walks over ordered nodes, folding those of constants and lowering the others; collects refusals. */
export class NodeImporter {
  readonly refused: RefusedNode[] = [];
  private readonly known = new Map<string, Known>();
  /** Initializers that nothing has read yet. */
  private readonly stored = new Map<string, TensorProto>();
  private readonly sparse = new Set<string>();
  private readonly budget = new FoldBudget();
  private readonly builder: GraphBuilder;
  private readonly flattener: Flattener;
  private readonly readExternal: ReadExternal | undefined;

  constructor(builder: GraphBuilder, flattener: Flattener, readExternal: ReadExternal | undefined) {
    this.builder = builder;
    this.flattener = flattener;
    this.readExternal = readExternal;
  }

  /** An input of the model. */
  addInput(name: string, type: TensorType): Value {
    const value = this.builder.input({ name, type });
    this.known.set(name, value);
    return value;
  }

  /** Initializers of a graph, under the names that `meaning` gives them. */
  addInitializers(graph: GraphProto, meaning: (name: string) => string): void {
    for (const tensor of graph.initializer) this.stored.set(meaning(tensor.name ?? ''), tensor);
    for (const { values } of graph.sparseInitializer) this.sparse.add(meaning(values?.name ?? ''));
  }

  isKnown(name: string): boolean {
    return this.known.has(name) || this.stored.has(name) || this.sparse.has(name);
  }

  /** What a name stands for, undefined when the node that makes it was refused. */
  value(name: string): Value | undefined {
    const known = this.known.get(name);
    if (known !== undefined) return known === refusedValue ? undefined : known;
    const stored = this.stored.get(name);
    if (this.sparse.has(name)) throw sparseTensor(name);
    if (!stored) throw undefinedValue(name, undefined);
    const tensor = readTensor(stored, name, this.readExternal);
    this.known.set(name, tensor);
    return tensor;
  }

  /** Imports nodes that stand in order; branches of a known condition are put in place as they come. */
  run(nodes: readonly FlatNode[]): void {
    const pending = [...nodes].reverse();
    for (let node = pending.pop(); node; node = pending.pop()) {
      const branch = this.importNode(node);
      for (let i = branch.length - 1; i >= 0; i--) pending.push(branch[i]!);
    }
  }

  /** Imports one node, or gives back the nodes to import in its place. */
  private importNode(node: FlatNode): readonly FlatNode[] {
    try {
      return this.tryNode(node);
    } catch (error) {
      if (!(error instanceof TinymlError)) throw error;
      if (error.code !== unsupportedCode) throw atNode(node.origin, node.op, error);
      this.refuse(node, error.message, error.hint);
      return [];
    }
  }

  private tryNode(node: FlatNode): readonly FlatNode[] {
    const ofRuntime = node.domain === runtimeDomain && runtimeOperators.has(node.op);
    if (!ofRuntime && (node.domain !== standardDomain || !isKnownOperator(node.op))) {
      const refusal = node.domain === standardDomain ? refusals.get(node.op) : undefined;
      this.refuse(node, refusal?.why, refusal?.hint);
      return [];
    }
    if (!ofRuntime && node.opset < oldestOpset) throw opsetNotSupported(node.opset, oldestOpset, newestOpset);
    const inputs = node.inputs.map((name) => (name === '' ? undefined : this.value(name)));
    if (node.inputs.some((name, i) => name !== '' && inputs[i] === undefined)) {
      this.forget(node);
      return [];
    }
    this.budget.read(inputs);
    if (node.op === 'If') return this.takeBranch(node, inputs[0]);
    this.name(node, this.folded(node, inputs) ?? this.lowered(node, inputs));
    return [];
  }

  private folded(node: FlatNode, inputs: readonly (Value | undefined)[]): readonly Value[] | undefined {
    const attrs = new AttributeReader(node.attributes, this.readExternal);
    const sized = foldSize(node, inputs[0], attrs);
    if (sized) {
      attrs.finish();
      return [this.constant(node, 0, sized)];
    }
    const folder = folders.get(node.op);
    if (!folder || !inputs.every((input) => input === undefined || input.data)) return undefined;
    const results = folder(
      {
        op: node.op,
        opset: node.opset,
        attrs,
        inputs: inputs as (Constant | undefined)[],
        outputCount: node.outputs.length,
      },
      this.budget,
    );
    if (!results) return undefined;
    if (node.op === 'DequantizeLinear') this.noteScales(inputs[1]);
    attrs.finish();
    return results.map((result, i) => this.constant(node, i, result));
  }

  private noteScales(scales: Value | undefined): void {
    const list = Array.from((scales?.data ?? []) as ArrayLike<number>, Math.fround);
    this.builder.storedScales.push(list);
  }

  private constant(node: FlatNode, position: number, { dtype, shape, data }: Folded): Value {
    return { name: node.outputs[position] || node.origin, type: { dtype, shape }, data };
  }

  private lowered(node: FlatNode, inputs: readonly (Value | undefined)[]): readonly Value[] {
    const lowering = lowerings.get(node.op);
    const integer = inputs.find((input) => input && !input.data && input.type.dtype !== 'float32');
    if (!lowering || integer) {
      const refusal = refusals.get(node.op);
      const why = integer
        ? `it computes with ${integer.type.dtype} values; only float is possible`
        : (refusal?.why ?? 'its inputs are computed by the network; only constants are possible');
      this.refuse(node, why, refusal?.hint);
      return [];
    }
    const attrs = new AttributeReader(node.attributes, this.readExternal);
    const wanted = node.outputs.map((name) => name !== '');
    const build = new NodeBuilder(this.builder, node.origin, node.outputs.find(Boolean) ?? node.origin);
    const opset = node.domain === runtimeDomain ? newestOpset : node.opset;
    const results = lowering.lower({ op: node.op, opset, attrs, inputs, wanted }, build);
    attrs.finish();
    return results;
  }

  private name(node: FlatNode, results: readonly Value[]): void {
    for (const [i, name] of node.outputs.entries()) {
      if (name !== '' && !this.known.has(name)) this.known.set(name, results[i] ?? refusedValue);
    }
  }

  private refuse(node: FlatNode, why: string | undefined, hint: string | undefined): void {
    const op = node.domain === standardDomain ? node.op : `${node.domain}.${node.op}`;
    this.refused.push({ op, opset: node.opset, origin: node.origin, why, hint });
    this.forget(node);
  }

  private forget(node: FlatNode): void {
    for (const name of node.outputs) if (name !== '') this.known.set(name, refusedValue);
  }

  /** The nodes of the branch that a constant condition picks, and one that hands on each result. */
  private takeBranch(node: FlatNode, condition: Value | undefined): readonly FlatNode[] {
    if (condition?.data?.length !== 1) {
      const { why, hint } = refusals.get('If')!;
      this.refuse(node, why, hint);
      return [];
    }
    const attrs = new AttributeReader(node.attributes, this.readExternal);
    const [thenBranch, elseBranch] = [attrs.graph('then_branch'), attrs.graph('else_branch')];
    attrs.finish();
    const branch = condition.data[0] ? thenBranch : elseBranch;
    const scope = new Scope(node.around.scope);
    const stored = [...branch.initializer.map(({ name }) => name ?? '')];
    for (const name of stored) this.flattener.define(name, scope, prefixOf(node));
    this.addInitializers({ ...branch, sparseInitializer: [] }, (name) => scope.resolve(name, node.origin));
    const inner = this.flattener.branch(branch, node, scope);
    const results = node.outputs.map((_, i) => scope.resolve(branch.output[i]?.name ?? '', node.origin));
    const handOver = node.outputs.map(
      (name, i): FlatNode => ({
        ...node,
        op: 'Identity',
        inputs: [results[i]!],
        outputs: [name],
        attributes: new Map(),
        captures: [],
      }),
    );
    return [...orderNodes(inner, () => true, results), ...handOver];
  }
}

function isKnownOperator(op: string): boolean {
  return lowerings.has(op) || folders.has(op) || op === 'Shape' || op === 'Size' || op === 'If';
}

/** Shape and Size, which are known for computed values too. */
function foldSize(node: FlatNode, x: Value | undefined, attrs: AttributeReader): Folded | undefined {
  if (!x || (node.op !== 'Shape' && node.op !== 'Size')) return undefined;
  const { shape } = x.type;
  if (node.op === 'Size') {
    const count = shape.reduce((product, size) => product * size, 1);
    return { dtype: 'int64', shape: [], data: BigInt64Array.of(BigInt(count)) };
  }
  const sizes = shape.slice(attrs.int('start', 0), attrs.int('end', shape.length));
  return { dtype: 'int64', shape: [sizes.length], data: BigInt64Array.from(sizes, BigInt) };
}
