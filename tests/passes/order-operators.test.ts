import { describe, expect, it } from 'vitest';
import { elementCount } from '../../converter/ir/tensor.ts';
import type { Graph, Node, Value } from '../../converter/ir/types.ts';
import { orderOperators } from '../../converter/passes/order-operators.ts';
import { Random } from '../kernels/problems.ts';

/** Bytes of the results and inputs that are alive at the worst moment when nodes run in this order. */
function peakOf(graph: Graph, nodes: readonly Node[]): number {
  const size = (name: string) => elementCount(graph.values.get(name)!.type.shape);
  const isKept = new Set(graph.outputs.map((port) => port.value));
  const lastUse = new Map<string, number>();
  for (const [step, node] of nodes.entries())
    for (const name of [...node.inputs, ...node.outputs]) lastUse.set(name, step);
  const alive = new Set(graph.inputs.map((port) => port.value));
  const total = () => [...alive].reduce((sum, name) => sum + size(name), 0);
  let peak = total();
  for (const [step, node] of nodes.entries()) {
    for (const name of node.outputs) alive.add(name);
    peak = Math.max(peak, total());
    for (const name of alive) if (lastUse.get(name) === step && !isKept.has(name)) alive.delete(name);
  }
  return peak;
}

function isInOrder(graph: Graph, nodes: readonly Node[]): boolean {
  const made = new Set(graph.inputs.map((port) => port.value));
  return nodes.every((node) => {
    const ready = node.inputs.every((name) => made.has(name));
    for (const name of node.outputs) made.add(name);
    return ready;
  });
}

function* permutations<T>(list: readonly T[]): Generator<T[]> {
  if (list.length === 0) yield [];
  for (const [i, first] of list.entries())
    for (const rest of permutations([...list.slice(0, i), ...list.slice(i + 1)])) yield [first, ...rest];
}

/** A graph of sums of random sizes; each node reads one or two earlier values. What nothing reads is an output. */
function randomGraph(random: Random, count: number): Graph {
  const values = new Map<string, Value>();
  const add = (name: string) => {
    values.set(name, { name, type: { dtype: 'int8', shape: [random.integer(1, 40)] } });
    return name;
  };
  const names = [add('x')];
  const nodes = Array.from({ length: count }, (_, i): Node => {
    const inputs = Array.from(
      { length: random.integer(1, 2) },
      () => names[random.integer(0, names.length - 1)]!,
    );
    names.push(add(`v${i}`));
    return { op: 'add', inputs, outputs: [`v${i}`], attrs: {}, origin: `v${i}` };
  });
  const read = new Set(nodes.flatMap(({ inputs }) => inputs));
  const outputs = names.slice(1).filter((name) => !read.has(name));
  const port = (name: string) => ({ name, value: name, shape: values.get(name)!.type.shape });
  return { name: 'random', nodes, values, inputs: [port('x')], outputs: outputs.map(port) };
}

describe('orderOperators', () => {
  it('finds the order that needs least memory: all orders of 200 small graphs', { timeout: 60_000 }, () => {
    const random = new Random(4711);
    let improved = 0;
    for (let round = 0; round < 200; round++) {
      const graph = randomGraph(random, random.integer(3, 7));
      const ordered = orderOperators(graph);
      expect(isInOrder(graph, ordered.nodes)).toBe(true);
      const all = [...permutations(graph.nodes)].filter((nodes) => isInOrder(graph, nodes));
      const best = Math.min(...all.map((nodes) => peakOf(graph, nodes)));
      expect(peakOf(graph, ordered.nodes)).toBe(best);
      if (best < peakOf(graph, graph.nodes)) improved++;
      else expect(ordered).toBe(graph);
    }
    expect(improved).toBeGreaterThan(20);
  });

  it('keeps a view behind what it views', () => {
    const random = new Random(12);
    for (let round = 0; round < 100; round++) {
      const graph = randomGraph(random, 8);
      const nodes = graph.nodes.map((node, i) =>
        i % 3 === 1 ? { ...node, op: 'reshape', inputs: node.inputs.slice(0, 1) } : node,
      );
      const ordered = orderOperators({ ...graph, nodes });
      expect(isInOrder(graph, ordered.nodes)).toBe(true);
    }
  });

  it('goes through a chain of 100,000 operators, and one wide tangle, within seconds', {
    timeout: 60_000,
  }, () => {
    const random = new Random(5);
    const chain = randomGraph(random, 1);
    const values = new Map(chain.values);
    const nodes = Array.from({ length: 100_000 }, (_, i): Node => {
      values.set(`c${i}`, { name: `c${i}`, type: { dtype: 'int8', shape: [8] } });
      return {
        op: 'relu',
        inputs: [i === 0 ? 'x' : `c${i - 1}`],
        outputs: [`c${i}`],
        attrs: {},
        origin: `c${i}`,
      };
    });
    const output = { name: 'y', value: 'c99999', shape: [8] };
    const started = process.cpuUsage();
    orderOperators({ ...chain, nodes, values, outputs: [output] });
    const tangle = randomGraph(random, 30);
    expect(isInOrder(tangle, orderOperators(tangle).nodes)).toBe(true);
    // Time of the processor, so that it does not matter what else this machine does.
    expect(process.cpuUsage(started).user).toBeLessThan(5_000_000);
  });
});
