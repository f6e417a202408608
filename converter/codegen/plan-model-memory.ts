import { tensorOf } from '../ir/graph.ts';
import { byteCount, elementCount } from '../ir/tensor.ts';
import type { Graph, Node } from '../ir/types.ts';
import type { KernelCall } from '../ops/integer/kernel-call.ts';
import { assignStorage, type Placing, type Storage } from './assign-storage.ts';
import { overlapRule, type Walk } from './overlap.ts';
import type { Buffer } from './plan-memory.ts';
import { planRegions, type RegionPlan } from './plan-regions.ts';

/** What is in memory during one layer; parts may overlap. */
export interface ArenaPeak {
  readonly layer: string;
  /** Results by the layer that made them, inputs by their name, and the layer's scratch memory. */
  readonly parts: readonly { readonly name: string; readonly bytes: number }[];
}

/** Bytes from the start of an arena; there is one for each memory of the board that is used. */
export interface ArenaPlace {
  readonly arena: number;
  readonly offset: number;
}

export interface ModelMemory {
  readonly places: ReadonlyMap<string, ArenaPlace>;
  /** Where each layer's kernels have their scratch memory, by position. */
  readonly scratch: ReadonlyMap<number, ArenaPlace>;
  /** Bytes of each arena. */
  readonly arenas: readonly number[];
  /** The layer during which most is in use, and by what; absent for a graph without layers. */
  readonly peak: ArenaPeak | undefined;
}

/** What memory has to know of the kernel that a call gets. */
export interface MemoryNeeds {
  readonly walk?: Walk;
  readonly scratchBytes?: number;
}

/** Bytes of all arenas together. */
export const totalBytes = ({ arenas }: Pick<ModelMemory, 'arenas'>): number =>
  arenas.reduce((sum, bytes) => sum + bytes, 0);

export type LayerCalls = ReadonlyMap<Node, readonly KernelCall[]>;

/** Tensors start at multiples of this, so that words can be loaded from them. */
const tensorAlignment = 4;

/** A copy of bytes that lie side by side. */
interface Block {
  readonly input: number;
  readonly from: number;
  readonly to: number;
  readonly bytes: number;
}

function blockOf({ kernel, params, args: [input] }: KernelCall): Block | undefined {
  const { size, x_offset: from, y_offset: to, run: bytes } = params;
  if (kernel !== 'copy_box' || !Array.isArray(size) || size.some((count) => count !== 1)) return undefined;
  const isBlock = typeof from === 'number' && typeof to === 'number' && typeof bytes === 'number';
  return isBlock && typeof input === 'number' ? { input, from, to, bytes } : undefined;
}

/** Whether a call of a planned model would copy bytes onto themselves. */
export function copiesNothing(node: Node, call: KernelCall, places: ModelMemory['places']): boolean {
  const block = blockOf(call);
  const source = block && places.get(node.inputs[block.input]!);
  const target = places.get(node.outputs[0]!)!;
  return source?.arena === target.arena && source.offset + block!.from === target.offset + block!.to;
}

/** How a node that only copies whole blocks does without; undefined for others. */
function sharingOf(graph: Graph, node: Node, calls: readonly KernelCall[]): Placing | undefined {
  if (calls.some(({ kernel }) => kernel !== 'copy_box')) return undefined;
  const sizeOf = (name: string) => byteCount(tensorOf(graph, name).type);
  const blocks = calls.flatMap((call) => blockOf(call) ?? []);
  const [first] = blocks;
  const isAligned = (position: number) => position % tensorAlignment === 0;
  if (first?.bytes === sizeOf(node.outputs[0]!) && isAligned(first.from))
    return { viewOf: node.inputs[first.input]!, from: first.from };
  const parts = blocks
    .map(({ input, to, bytes }) => ({ name: node.inputs[input]!, to, bytes }))
    .filter(({ name, to, bytes }) => bytes === sizeOf(name) && isAligned(to));
  return parts.length > 0 ? { parts } : undefined;
}

/** Where a node's result may stand, by the kernels of its calls. */
function placingOf(
  graph: Graph,
  node: Node,
  calls: readonly KernelCall[],
  needsOf: (call: KernelCall) => MemoryNeeds | undefined,
): Placing {
  const sharing = sharingOf(graph, node, calls);
  if (sharing) return sharing;
  const read = calls[0]?.args.filter((arg) => typeof arg === 'number') ?? [];
  const [over] = read.map((position) => node.inputs[position]!);
  const walk = calls.length === 1 ? needsOf(calls[0]!)?.walk : undefined;
  if (walk !== undefined && walk !== 'element' && over !== undefined) {
    const { type } = tensorOf(graph, over);
    const rule = overlapRule(calls[0]!, walk, byteCount(type) / elementCount(type.shape));
    if (rule) return { over, rule };
  }
  const byElement = calls.every((call) => needsOf(call)?.walk === 'element');
  return { inPlaceOf: byElement ? read.map((position) => node.inputs[position]!) : [] };
}

/** Scratch memory of each layer that needs some, in use during that layer only. */
function scratchBuffers(
  graph: Graph,
  calls: LayerCalls,
  needsOf: (call: KernelCall) => MemoryNeeds | undefined,
): Buffer[] {
  return graph.nodes.flatMap((node, step) => {
    const sizes = calls.get(node)!.map((call) => needsOf(call)?.scratchBytes ?? 0);
    const bytes = Math.max(0, ...sizes);
    return bytes > 0 ? [{ bytes, first: step, last: step }] : [];
  });
}

/** What is alive in a step; a piece of memory that several layers use in turn is named after the last one before it. */
function peakOf(
  graph: Graph,
  { buffers, places }: Storage,
  scratch: readonly Buffer[],
  peakStep: number,
): ArenaPeak | undefined {
  const step = Math.max(0, peakStep);
  const layer = graph.nodes[step]?.origin;
  if (layer === undefined) return undefined;
  const isAlive = ({ first, last }: Buffer) => first <= step && step <= last;
  const owners = new Map<number, string>();
  for (const port of graph.inputs) owners.set(places.get(port.value)!.buffer, port.name);
  for (const node of graph.nodes.slice(0, step + 1))
    for (const name of node.outputs) owners.set(places.get(name)!.buffer, node.origin);
  const parts = buffers.flatMap((buffer, i) =>
    isAlive(buffer) ? [{ name: owners.get(i) ?? '', bytes: buffer.bytes }] : [],
  );
  const scratchParts = scratch.filter(isAlive).map(({ bytes }) => ({ name: 'scratch memory', bytes }));
  return { layer, parts: [...parts, ...scratchParts] };
}

interface Attempt {
  readonly storage: Storage;
  readonly plan: RegionPlan;
  /** Bytes that do not fit, and bytes in use. */
  readonly excess: number;
  readonly total: number;
}

/** Layers whose sharing is tried one by one where sharing all of it takes more memory. */
const mostTried = 24;
const copied: Placing = { inPlaceOf: [] };

/** Whether a node that does without its copy may keep memory in use for longer. */
function mayCost(graph: Graph, node: Node, placing: Placing): boolean {
  if (!('viewOf' in placing)) return 'parts' in placing;
  const size = (name: string) => elementCount(tensorOf(graph, name).type.shape);
  return size(placing.viewOf) !== size(node.outputs[0]!);
}

/**
 * The best of attempts that share all, none or some of the memory that copies would fill: parts keep the whole in use
 * from the first of them on, and views the whole that they are of. Where memory is the same, less is copied.
 */
function bestAttempt(
  graph: Graph,
  placings: readonly Placing[],
  attempt: (placings: readonly Placing[]) => Attempt,
): Attempt {
  const shared = graph.nodes.flatMap((node, i) => (mayCost(graph, node, placings[i]!) ? [i] : []));
  const all = attempt(placings);
  if (shared.length === 0) return all;
  const isNoWorse = (a: Attempt, b: Attempt) => (a.excess - b.excess || a.total - b.total) <= 0;
  const chosen = placings.map((placing, i) => (shared.includes(i) ? copied : placing));
  let best = attempt(chosen);
  if (isNoWorse(all, best)) return all;
  for (const i of shared.slice(0, mostTried)) {
    const tried = attempt(chosen.with(i, placings[i]!));
    if (!isNoWorse(tried, best)) continue;
    chosen[i] = placings[i]!;
    best = tried;
  }
  return best;
}

/**
 * Gives all values of a graph and its layers' scratch memory places in as little memory as can be found. `regions` are
 * the sizes of the board's memories, the preferred one first; without them there is one arena of any size.
 */
export function planModelMemory(
  graph: Graph,
  calls: LayerCalls,
  needsOf: (call: KernelCall) => MemoryNeeds | undefined,
  regions: readonly number[] = [Number.POSITIVE_INFINITY],
): ModelMemory {
  const scratch = scratchBuffers(graph, calls, needsOf);
  const attempt = (placings: readonly Placing[]): Attempt => {
    const storage = assignStorage(graph, placings);
    const plan = planRegions([...storage.buffers, ...scratch], tensorAlignment, storage.overlaps, regions);
    const excess = plan.bytes.reduce((sum, bytes, i) => sum + Math.max(0, bytes - regions[i]!), 0);
    return { storage, plan, excess, total: plan.bytes.reduce((sum, bytes) => sum + bytes, 0) };
  };
  const placings = graph.nodes.map((node) => placingOf(graph, node, calls.get(node)!, needsOf));
  const { storage, plan } = bestAttempt(graph, placings, attempt);
  const placeOf = (buffer: number, start: number): ArenaPlace => {
    const { region, offset } = plan.places[buffer]!;
    return { arena: region, offset: offset + start };
  };
  return {
    places: new Map([...storage.places].map(([name, { buffer, start }]) => [name, placeOf(buffer, start)])),
    scratch: new Map(scratch.map(({ first }, i) => [first, placeOf(storage.buffers.length + i, 0)])),
    arenas: plan.bytes,
    peak: peakOf(graph, storage, scratch, plan.peakStep),
  };
}

/** Whether no layer of `written` ever writes where the inputs stand. */
export function keepsInputs(
  graph: Graph,
  places: ModelMemory['places'],
  written: ReadonlySet<Node>,
): boolean {
  const spanOf = (name: string) => {
    const { arena, offset } = places.get(name)!;
    return { arena, offset, end: offset + byteCount(tensorOf(graph, name).type) };
  };
  const inputs = graph.inputs.map((port) => spanOf(port.value));
  return [...written].every((node) => {
    const result = spanOf(node.outputs[0]!);
    return inputs.every(
      ({ arena, offset, end }) => arena !== result.arena || end <= result.offset || result.end <= offset,
    );
  });
}
