import { Names } from '../../../ir/names.ts';
import type { AttributeProto, FunctionProto, GraphProto, NodeProto } from '../container/schema.ts';
import {
  attributeMalformed,
  callMismatch,
  fileTooLarge,
  functionCycle,
  functionDuplicate,
  functionsTooDeep,
} from '../errors.ts';
import { mostFunctionNesting, mostInlinedBytes, mostNodes } from '../limits.ts';
import { canonicalDomain, type Opsets, opsetsOf } from './opsets.ts';
import { claim, Scope } from './scope.ts';

/** A node with functions resolved and every value name unique in the whole model. */
export interface FlatNode {
  readonly op: string;
  readonly domain: string;
  /** Version of the node's domain. */
  readonly opset: number;
  /** The user's name, or operator and position. */
  readonly origin: string;
  /** '' is an absent optional input or an output that is not wanted. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, AttributeProto>;
  /** Outer values that subgraphs in the attributes may read. */
  readonly captures: readonly string[];
  readonly around: Surroundings;
}

type Attributes = ReadonlyMap<string, AttributeProto>;

/** Where a list of nodes stands: what its names, attribute references and operator versions mean. */
export interface Surroundings {
  readonly scope: Scope;
  readonly opsets: Opsets;
  /** Put before node names. */
  readonly prefix: string;
  /** Attributes that a function was called with. */
  readonly parameters: Attributes | undefined;
  /** Keys of the functions this is inside of. */
  readonly calls: readonly string[];
}

function functionKey(domain: string | undefined, name: string | undefined, overload: string | undefined) {
  return JSON.stringify([canonicalDomain(domain), name ?? '', overload ?? '']);
}

/** Values that the subgraphs of a node mention, made there or not; nesting is bounded by the reader. */
function mentioned(graph: GraphProto, into: Set<string>): void {
  for (const { name } of graph.output) into.add(name ?? '');
  for (const node of graph.node) {
    for (const name of node.input) into.add(name);
    for (const attribute of node.attribute) if (attribute.g) mentioned(attribute.g, into);
  }
}

function attributesOf(node: NodeProto, parameters: Attributes | undefined): Attributes {
  const attributes = new Map<string, AttributeProto>();
  for (const attribute of node.attribute) {
    const name = attribute.name ?? '';
    if (attributes.has(name)) throw attributeMalformed(name, 'is given twice');
    if (!attribute.refAttrName) {
      attributes.set(name, attribute);
      continue;
    }
    // An attribute of a function body that the call leaves out takes the operator's own default.
    const given = parameters?.get(attribute.refAttrName);
    if (given) attributes.set(name, { ...given, name });
  }
  return attributes;
}

/** Roughly the bytes of a message in memory; nesting is bounded by the reader. */
function sizeOf(field: unknown): number {
  if (typeof field === 'string') return field.length;
  if (field instanceof Uint8Array) return field.byteLength;
  if (Array.isArray(field)) return field.reduce((sum: number, entry) => sum + sizeOf(entry), 8);
  if (typeof field !== 'object' || field === null) return 8;
  return Object.values(field).reduce((sum: number, entry) => sum + sizeOf(entry), 8);
}

/** Put before the names of what is inside `node`. */
export function prefixOf(node: FlatNode): string {
  return `${node.origin.slice(0, 200)}/`;
}

/** Turns graphs, function bodies and branches into one list of nodes over one set of names. */
export class Flattener {
  readonly names = new Names();
  private readonly functions = new Map<string, FunctionProto>();
  private readonly sizes = new Map<FunctionProto, number>();
  private count = 0;
  private inlined = 0;

  constructor(functions: readonly FunctionProto[]) {
    for (const body of functions) {
      const key = functionKey(body.domain, body.name, body.overload);
      if (this.functions.has(key)) throw functionDuplicate(body.name ?? '');
      this.functions.set(key, body);
    }
  }

  /** The main graph's nodes; `scope` has its inputs and initializers. */
  mainGraph(graph: GraphProto, scope: Scope, opsets: Opsets): FlatNode[] {
    const outputs = graph.node.flatMap((node) => node.output).filter((name) => name !== '');
    for (const name of outputs) scope.define(name, claim(this.names, name));
    return this.flatten(graph.node, { scope, opsets, prefix: '', parameters: undefined, calls: [] });
  }

  /** A branch of `node`; `scope` stands inside the node's and has the branch's initializers. */
  branch(graph: GraphProto, node: FlatNode, scope: Scope): FlatNode[] {
    const prefix = prefixOf(node);
    for (const name of graph.node.flatMap((inner) => inner.output)) this.define(name, scope, prefix);
    return this.flatten(graph.node, { ...node.around, scope, prefix });
  }

  /** Gives a value of a function or branch a name in the whole model. */
  define(name: string, scope: Scope, prefix: string): void {
    if (name !== '') scope.define(name, this.names.fresh(`${prefix}${name.slice(0, 200)}`));
  }

  private flatten(nodes: readonly NodeProto[], around: Surroundings): FlatNode[] {
    const flat: FlatNode[] = [];
    for (const [index, node] of nodes.entries()) {
      const body = this.functions.get(functionKey(node.domain, node.opType, node.overload));
      const own = this.flatNode(node, index, around);
      if (!body) {
        if (++this.count > mostNodes) throw fileTooLarge('nodes', mostNodes);
        flat.push(own);
        continue;
      }
      for (const inner of this.call(body, own, around)) flat.push(inner);
    }
    return flat;
  }

  private flatNode(node: NodeProto, index: number, around: Surroundings): FlatNode {
    const op = node.opType ?? '';
    const domain = canonicalDomain(node.domain);
    const origin = `${around.prefix}${node.name || `${op.slice(0, 200)}_${index}`}`;
    const resolve = (name: string) => (name === '' ? '' : around.scope.resolve(name, origin));
    const inner = new Set<string>();
    for (const attribute of node.attribute) if (attribute.g) mentioned(attribute.g, inner);
    const captures = [...inner].flatMap((name) => around.scope.find(name) ?? []);
    return {
      op,
      domain,
      opset: around.opsets.get(domain) ?? 0,
      origin,
      inputs: node.input.map(resolve),
      outputs: node.output.map(resolve),
      attributes: attributesOf(node, around.parameters),
      captures,
      around,
    };
  }

  /** Bounds what calls multiply: a small file may call a large body very often. */
  private countCall(body: FunctionProto): void {
    const size = this.sizes.get(body) ?? sizeOf(body);
    this.sizes.set(body, size);
    this.inlined += size;
    if (this.inlined > mostInlinedBytes) throw fileTooLarge('bytes in called functions', mostInlinedBytes);
  }

  /** The nodes of a function's body, reading the call's inputs and making the call's outputs. */
  private call(body: FunctionProto, node: FlatNode, around: Surroundings): FlatNode[] {
    const key = functionKey(body.domain, body.name, body.overload);
    if (around.calls.includes(key)) throw functionCycle(body.name ?? '');
    if (around.calls.length >= mostFunctionNesting) throw functionsTooDeep(mostFunctionNesting);
    if (node.inputs.length > body.input.length || node.outputs.length > body.output.length) {
      throw callMismatch(node.origin, body.name ?? '');
    }
    this.countCall(body);
    const prefix = prefixOf(node);
    const scope = new Scope();
    for (const [i, name] of body.input.entries()) scope.define(name, node.inputs[i] ?? '');
    for (const [i, name] of body.output.entries()) {
      const outer = node.outputs[i] ?? '';
      if (outer === '') this.define(name, scope, prefix);
      else scope.define(name, outer);
    }
    const parameters = new Map(body.attributeProto.map((attribute) => [attribute.name ?? '', attribute]));
    for (const [name, attribute] of node.attributes) parameters.set(name, attribute);
    const outputs = new Set(body.output);
    for (const name of body.node.flatMap((inner) => inner.output)) {
      if (!outputs.has(name)) this.define(name, scope, prefix);
    }
    const opsets = body.opsetImport.length > 0 ? opsetsOf(body.opsetImport) : around.opsets;
    return this.flatten(body.node, { scope, opsets, prefix, parameters, calls: [...around.calls, key] });
  }
}
