import { tensorOf } from '../ir/graph.ts';
import { byteCount } from '../ir/tensor.ts';
import type { Graph, Node } from '../ir/types.ts';
import type { Buffer, Overlap, OverlapRule } from './plan-memory.ts';

/** Which values share a piece of memory, and how long each piece is needed. */
export interface Storage {
  readonly buffers: readonly Buffer[];
  /** Index into `buffers` of every computed value and input. */
  readonly bufferOf: ReadonlyMap<string, number>;
  /** Results that may lie over the input that they are the last to need. */
  readonly overlaps: readonly Overlap[];
}

/**
 * What the kernels of a node allow its result to do: overlap an input by a rule, or take the place of one of some
 * inputs, the first of the right size.
 */
export type Placing =
  | { readonly over: string; readonly rule: OverlapRule }
  | { readonly inPlaceOf: readonly string[] };

interface Piece {
  readonly bytes: number;
  first: number;
  last: number;
}

/** Operators whose result is the input's bytes under another shape. */
const views: ReadonlySet<string> = new Set(['reshape']);

function lastReads(graph: Graph): Map<string, number> {
  const last = new Map<string, number>();
  for (const [step, node] of graph.nodes.entries()) for (const name of node.inputs) last.set(name, step);
  for (const port of graph.outputs) last.set(port.value, graph.nodes.length);
  return last;
}

class Assignment {
  readonly pieces = new Map<string, Piece>();
  private readonly last: Map<string, number>;
  private readonly graph: Graph;

  constructor(graph: Graph) {
    this.graph = graph;
    this.last = lastReads(graph);
  }

  isConstant(name: string): boolean {
    return tensorOf(this.graph, name).data !== undefined;
  }

  add(name: string, first: number): void {
    const last = Math.max(first, this.last.get(name) ?? first);
    this.pieces.set(name, { bytes: byteCount(tensorOf(this.graph, name).type), first, last });
  }

  /** Lets `name` live where `other` does. */
  share(name: string, other: string): void {
    const piece = this.pieces.get(other)!;
    piece.last = Math.max(piece.last, this.last.get(name) ?? piece.last);
    this.pieces.set(name, piece);
  }

  /** True when nothing reads the piece of `name` after `step`, and the result of `step` fits it exactly. */
  dies(name: string, step: number, result: string): boolean {
    const piece = this.pieces.get(name);
    return piece?.last === step && piece.bytes === byteCount(tensorOf(this.graph, result).type);
  }
}

/** Puts all views of a value, and views of those, into its piece, which then lives as long as they do. */
function extendOverViews(assignment: Assignment, name: string, viewsOf: ReadonlyMap<string, string[]>): void {
  const pending = [...(viewsOf.get(name) ?? [])];
  while (pending.length > 0) {
    const view = pending.pop()!;
    assignment.share(view, name);
    pending.push(...(viewsOf.get(view) ?? []));
  }
}

/**
 * Gives every computed value a piece of memory. Reshapes are views of their input, and a result takes the place of
 * an input that is not needed afterwards where its kernel allows it, or a part of it.
 */
export function assignStorage(graph: Graph, placingOf: (node: Node) => Placing): Storage {
  const assignment = new Assignment(graph);
  const viewsOf = new Map<string, string[]>();
  for (const node of graph.nodes) {
    const [source] = node.inputs;
    if (!views.has(node.op) || assignment.isConstant(source!)) continue;
    viewsOf.set(source!, [...(viewsOf.get(source!) ?? []), node.outputs[0]!]);
  }
  const create = (name: string, first: number) => {
    assignment.add(name, first);
    extendOverViews(assignment, name, viewsOf);
  };
  const overlapping: { input: Piece; output: Piece; rule: OverlapRule }[] = [];
  for (const port of graph.inputs) if (!assignment.pieces.has(port.value)) create(port.value, -1);
  for (const [step, node] of graph.nodes.entries()) {
    const [result] = node.outputs;
    if (assignment.pieces.has(result!)) continue;
    const placing = placingOf(node);
    const candidates = 'inPlaceOf' in placing ? placing.inPlaceOf : [];
    const place = candidates.find((name) => assignment.dies(name, step, result!));
    if (place === undefined) create(result!, step);
    else {
      assignment.share(result!, place);
      extendOverViews(assignment, result!, viewsOf);
    }
    const input = 'over' in placing ? assignment.pieces.get(placing.over) : undefined;
    if ('over' in placing && input?.last === step)
      overlapping.push({ input, output: assignment.pieces.get(result!)!, rule: placing.rule });
  }
  const pieces = [...new Set(assignment.pieces.values())];
  const index = new Map(pieces.map((piece, i) => [piece, i]));
  return {
    buffers: pieces.map(({ bytes, first, last }) => ({ bytes, first, last })),
    overlaps: overlapping.map(({ input, output, rule }) => ({
      input: index.get(input)!,
      output: index.get(output)!,
      rule,
    })),
    bufferOf: new Map([...assignment.pieces].map(([name, piece]) => [name, index.get(piece)!])),
  };
}
