import { tensorOf } from '../ir/graph.ts';
import { byteCount } from '../ir/tensor.ts';
import type { Graph, Node } from '../ir/types.ts';

/** Pieces of memory that nodes read and make; a reshape makes none. Pieces are numbered from 0. */
interface Memory {
  readonly bytes: readonly number[];
  /** By node: the pieces it reads, each once. */
  readonly reads: readonly (readonly number[])[];
  /** By node: the nodes that make its inputs. */
  readonly after: readonly (readonly number[])[];
  /** By node: the pieces it makes. */
  readonly makes: readonly (readonly number[])[];
  /** How many nodes read a piece; infinite for outputs of the graph, which are kept. */
  readonly readers: readonly number[];
  /** Pieces that the graph is given. */
  readonly given: readonly number[];
}

function memoryOf(graph: Graph): Memory {
  const bytes: number[] = [];
  const pieceOf = new Map<string, number>();
  const create = (name: string) => {
    pieceOf.set(name, bytes.length);
    return bytes.push(byteCount(tensorOf(graph, name).type)) - 1;
  };
  const given = graph.inputs.map((port) => pieceOf.get(port.value) ?? create(port.value));
  const reads: number[][] = [];
  const makes: number[][] = [];
  const after: number[][] = [];
  const makerOf = new Map<string, number>();
  for (const [index, node] of graph.nodes.entries()) {
    after.push(node.inputs.flatMap((name) => makerOf.get(name) ?? []));
    for (const name of node.outputs) makerOf.set(name, index);
    const read = node.inputs.flatMap((name) => pieceOf.get(name) ?? []);
    reads.push([...new Set(read)]);
    if (node.op === 'reshape' && read.length > 0) {
      pieceOf.set(node.outputs[0]!, read[0]!);
      makes.push([]);
    } else makes.push(node.outputs.map(create));
  }
  const readers = bytes.map(() => 0);
  for (const list of reads) for (const piece of list) readers[piece]!++;
  for (const { value } of graph.outputs) {
    const piece = pieceOf.get(value);
    if (piece !== undefined) readers[piece] = Number.POSITIVE_INFINITY;
  }
  return { bytes, reads, after, makes, readers, given };
}

/** Sets of 32-bit numbers hold so many nodes. */
const longestSegment = 30;

/** Nodes done so far, in order, and the memory in use. */
class Schedule {
  readonly order: number[] = [];
  live: number;
  peak: number;
  private readonly left: number[];
  private readonly memory: Memory;

  constructor(memory: Memory) {
    this.memory = memory;
    this.left = [...memory.readers];
    this.live = memory.given.reduce((sum, piece) => sum + memory.bytes[piece]!, 0);
    this.peak = this.live;
  }

  run(node: number): void {
    const { bytes, reads, makes } = this.memory;
    for (const piece of makes[node]!) this.live += bytes[piece]!;
    this.peak = Math.max(this.peak, this.live);
    for (const piece of [...reads[node]!, ...makes[node]!.filter((made) => this.left[made] === 0)]) {
      if (this.left[piece]! > 0) this.left[piece]!--;
      if (this.left[piece] === 0) this.live -= bytes[piece]!;
    }
    this.order.push(node);
  }
}

function peakOf(memory: Memory, order: readonly number[]): number {
  const schedule = new Schedule(memory);
  for (const node of order) schedule.run(node);
  return schedule.peak;
}

/**
 * Stretches of nodes between places where not more than one piece is still to be read: what comes before it serves
 * that piece alone, but for outputs of the graph. A graph that can be looked at as a whole is one stretch.
 */
function segments(memory: Memory): number[][] {
  if (memory.reads.length <= longestSegment) return [[...memory.reads.keys()]];
  const left = [...memory.readers];
  const waits = (piece: number) => left[piece]! > 0 && Number.isFinite(left[piece]!);
  const pending = new Set(memory.given.filter(waits));
  const list: number[][] = [];
  let current: number[] = [];
  for (const [node, reads] of memory.reads.entries()) {
    current.push(node);
    for (const piece of memory.makes[node]!) if (waits(piece)) pending.add(piece);
    for (const piece of reads) if (--left[piece]! === 0) pending.delete(piece);
    if (pending.size > 1) continue;
    list.push(current);
    current = [];
  }
  return current.length > 0 ? [...list, current] : list;
}

/** What must be done before each node of a segment, as a set of bits by position in it. */
function requirements({ after }: Memory, segment: readonly number[]): number[] {
  const positions = new Map(segment.map((node, i) => [node, i]));
  return segment.map((node) =>
    after[node]!.reduce((set, earlier) => {
      const position = positions.get(earlier);
      return position === undefined ? set : set | (1 << position);
    }, 0),
  );
}

interface State {
  readonly live: number;
  readonly peak: number;
  readonly order: readonly number[];
}

/** Sets of done nodes of one size that are followed, the best ones. */
const mostStates = 2000;

/**
 * The order of a segment that needs least memory: every set of nodes that can be done first is reached by its best
 * order only, so that sets are looked at rather than orders. Exact unless there are more than `mostStates` sets of one size.
 */
function bestOrder(memory: Memory, segment: readonly number[], live: number, before: readonly number[]) {
  const needs = requirements(memory, segment);
  const readersDone = (piece: number, done: number) =>
    before[piece]! +
    segment.filter((node, i) => done & (1 << i) && memory.reads[node]!.includes(piece)).length;
  const after = (state: State, done: number, i: number): State => {
    const node = segment[i]!;
    const made = memory.makes[node]!.reduce((sum, piece) => sum + memory.bytes[piece]!, 0);
    const freed = [...memory.reads[node]!, ...memory.makes[node]!]
      .filter((piece) => readersDone(piece, done | (1 << i)) === memory.readers[piece])
      .reduce((sum, piece) => sum + memory.bytes[piece]!, 0);
    const peak = Math.max(state.peak, state.live + made);
    return { live: state.live + made - freed, peak, order: [...state.order, node] };
  };
  let states = new Map<number, State>([[0, { live, peak: live, order: [] }]]);
  for (let size = 0; size < segment.length; size++) {
    const next = new Map<number, State>();
    for (const [done, state] of states) {
      for (let i = 0; i < segment.length; i++) {
        const bit = 1 << i;
        if (done & bit || (needs[i]! & done) !== needs[i]) continue;
        const reached = after(state, done, i);
        const known = next.get(done | bit);
        if (!known || reached.peak < known.peak) next.set(done | bit, reached);
      }
    }
    const kept = [...next].sort(([, a], [, b]) => a.peak - b.peak || a.live - b.live);
    states = new Map(kept.slice(0, mostStates));
  }
  return [...states.values()][0]!.order;
}

function improvedOrder(memory: Memory): number[] {
  const schedule = new Schedule(memory);
  const before = memory.bytes.map(() => 0);
  for (const segment of segments(memory)) {
    const worthIt = segment.length > 2 && segment.length <= longestSegment;
    const order = worthIt ? bestOrder(memory, segment, schedule.live, before) : segment;
    for (const node of order) {
      schedule.run(node);
      for (const piece of memory.reads[node]!) before[piece]!++;
    }
  }
  return schedule.order;
}

/**
 * Puts operators of branching graphs into the order in which the results that wait to be read take least memory.
 * Graphs that gain nothing stay as they are. Sizes count without in-place operators, which only make them smaller.
 */
export function orderOperators(graph: Graph): Graph {
  const memory = memoryOf(graph);
  const order = improvedOrder(memory);
  const gains =
    peakOf(memory, order) <
    peakOf(
      memory,
      graph.nodes.map((_, i) => i),
    );
  return gains ? { ...graph, nodes: order.map((i): Node => graph.nodes[i]!) } : graph;
}
