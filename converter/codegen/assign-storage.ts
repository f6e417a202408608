import { tensorOf } from '../ir/graph.ts';
import { byteCount } from '../ir/tensor.ts';
import type { Graph } from '../ir/types.ts';
import type { Buffer, Overlap, OverlapRule } from './plan-memory.ts';

/** Which values share a piece of memory, and how long each piece is needed. */
export interface Storage {
  readonly buffers: readonly Buffer[];
  /** Where every computed value and input is: an index into `buffers`, and bytes from the start of that buffer. */
  readonly places: ReadonlyMap<string, { readonly buffer: number; readonly start: number }>;
  /** Results that may lie over the input that they are the last to need. */
  readonly overlaps: readonly Overlap[];
}

/**
 * What the kernels of a node allow its result to do: overlap an input by a rule, take the place of one of some
 * inputs, the first of the right size, be a view of the bytes of an input from some byte on, or have inputs made in
 * its own memory, each from its byte on.
 */
export type Placing =
  | { readonly over: string; readonly rule: OverlapRule }
  | { readonly inPlaceOf: readonly string[] }
  | { readonly viewOf: string; readonly from: number }
  | { readonly parts: readonly Part[] };

export interface Part {
  readonly name: string;
  readonly to: number;
}

interface Piece {
  readonly bytes: number;
  first: number;
  last: number;
  /** The piece that this one is a part of. */
  whole?: { readonly piece: Piece; readonly at: number };
}

interface Place {
  readonly piece: Piece;
  readonly start: number;
}

function lastReads(graph: Graph): Map<string, number> {
  const last = new Map<string, number>();
  for (const [step, node] of graph.nodes.entries()) for (const name of node.inputs) last.set(name, step);
  for (const port of graph.outputs) last.set(port.value, graph.nodes.length);
  return last;
}

class Assignment {
  readonly places = new Map<string, Place>();
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
    const piece = { bytes: byteCount(tensorOf(this.graph, name).type), first, last };
    this.places.set(name, { piece, start: 0 });
  }

  /** Lets `name` live where `other` does, `from` bytes behind its start. */
  share(name: string, other: string, from: number): void {
    const { piece, start } = this.places.get(other)!;
    piece.last = Math.max(piece.last, this.last.get(name) ?? piece.last);
    this.places.set(name, { piece, start: start + from });
  }

  /** The piece that `name` fills, if nothing reads that after `step`. */
  dying(name: string, step: number): Piece | undefined {
    const piece = this.places.get(name)?.piece;
    return piece?.last === step && piece.bytes === byteCount(tensorOf(this.graph, name).type)
      ? piece
      : undefined;
  }

  /** True when nothing reads the piece of `name` after `step`, and the result of `step` fits it exactly. */
  dies(name: string, step: number, result: string): boolean {
    return this.dying(name, step)?.bytes === byteCount(tensorOf(this.graph, result).type);
  }
}

interface View {
  readonly name: string;
  readonly from: number;
}

/** Puts all views of a value, and views of those, into its piece, which then lives as long as they do. */
function extendOverViews(assignment: Assignment, name: string, viewsOf: ReadonlyMap<string, View[]>): void {
  const pending = [name];
  while (pending.length > 0) {
    const viewed = pending.pop()!;
    for (const view of viewsOf.get(viewed) ?? []) {
      assignment.share(view.name, viewed, view.from);
      pending.push(view.name);
    }
  }
}

/**
 * Lets inputs that nothing needs after `step` be made inside the result of that step. Inputs of the graph keep a place of
 * their own, so that it is known whether they are kept.
 */
function takeIn(assignment: Assignment, parts: readonly Part[], result: string, step: number): void {
  const whole = assignment.places.get(result)!.piece;
  for (const { name, to } of parts) {
    const piece = assignment.dying(name, step);
    if (!piece || piece.whole || piece.first < 0) continue;
    piece.whole = { piece: whole, at: to };
    whole.first = Math.min(whole.first, piece.first);
  }
}

/** The piece that a place is finally in. */
function outermost({ piece, start }: Place): Place {
  let place = { piece, start };
  while (place.piece.whole)
    place = { piece: place.piece.whole.piece, start: place.start + place.piece.whole.at };
  return place;
}

interface Overlapping {
  readonly input: Place;
  readonly output: Place;
  readonly rule: OverlapRule;
}

/**
 * A rule about two values as one about the pieces they are in; undefined where it cannot be told as one, or where the
 * result is made inside a piece that holds other values by then, which an input must not lie over.
 */
function ruleOfPieces({ input, output, rule }: Overlapping): OverlapRule | undefined {
  const outer = outermost(output);
  if (outer.piece.first !== output.piece.first) return undefined;
  const shift = outer.start - input.start;
  if ('behind' in rule) return { behind: Math.max(0, rule.behind + shift) };
  return shift % rule.multipleOf === 0 ? rule : undefined;
}

function storageOf(assignment: Assignment, overlapping: readonly Overlapping[]): Storage {
  const outer = new Map([...assignment.places].map(([name, place]) => [name, outermost(place)]));
  const pieces = [...new Set([...outer.values()].map(({ piece }) => piece))];
  const index = new Map(pieces.map((piece, i) => [piece, i]));
  return {
    buffers: pieces.map(({ bytes, first, last }) => ({ bytes, first, last })),
    overlaps: overlapping.flatMap((each) => {
      const rule = ruleOfPieces(each);
      const [input, output] = [outermost(each.input), outermost(each.output)];
      return rule ? [{ input: index.get(input.piece)!, output: index.get(output.piece)!, rule }] : [];
    }),
    places: new Map(
      [...outer].map(([name, { piece, start }]) => [name, { buffer: index.get(piece)!, start }]),
    ),
  };
}

/**
 * Gives every computed value a piece of memory, by what the kernels of each node allow: results take the place of
 * an input that is not needed afterwards, or lie over it; views are within what they view, and parts within what they become.
 */
export function assignStorage(graph: Graph, placings: readonly Placing[]): Storage {
  const assignment = new Assignment(graph);
  const viewsOf = new Map<string, View[]>();
  for (const [step, node] of graph.nodes.entries()) {
    const placing = placings[step]!;
    if (!('viewOf' in placing) || assignment.isConstant(placing.viewOf)) continue;
    const view = { name: node.outputs[0]!, from: placing.from };
    viewsOf.set(placing.viewOf, [...(viewsOf.get(placing.viewOf) ?? []), view]);
  }
  const create = (name: string, first: number) => {
    assignment.add(name, first);
    extendOverViews(assignment, name, viewsOf);
  };
  const overlapping: Overlapping[] = [];
  for (const port of graph.inputs) if (!assignment.places.has(port.value)) create(port.value, -1);
  for (const [step, node] of graph.nodes.entries()) {
    const result = node.outputs[0]!;
    if (assignment.places.has(result)) continue;
    const placing = placings[step]!;
    const candidates = 'inPlaceOf' in placing ? placing.inPlaceOf : [];
    const place = candidates.find((name) => assignment.dies(name, step, result));
    if (place === undefined) create(result, step);
    else {
      assignment.share(result, place, 0);
      extendOverViews(assignment, result, viewsOf);
    }
    const input = 'over' in placing ? assignment.places.get(placing.over) : undefined;
    if ('over' in placing && input?.piece.last === step)
      overlapping.push({ input, output: assignment.places.get(result)!, rule: placing.rule });
  }
  for (const [step, { outputs }] of graph.nodes.entries()) {
    const placing = placings[step]!;
    if ('parts' in placing) takeIn(assignment, placing.parts, outputs[0]!, step);
  }
  return storageOf(assignment, overlapping);
}
