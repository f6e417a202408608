import { describe, expect, it } from 'vitest';
import { type Rule, rewrite } from '../../converter/ir/edit.ts';
import { pruneUnused, sortNodes } from '../../converter/ir/graph.ts';
import { print } from '../../converter/ir/print.ts';
import { verify } from '../../converter/ir/verify.ts';
import { opRules } from '../../converter/ops/rules.ts';
import { GraphBuilder } from '../support/graphs.ts';

const dropAbs: Rule = {
  name: 'drop-abs',
  ops: ['abs'],
  match: (node) => ({ remove: [node], redirect: new Map([[node.outputs[0]!, node.inputs[0]!]]) }),
};

describe('rewrite', () => {
  it('returns the very same graph when no rule matches', () => {
    const b = new GraphBuilder();
    const graph = b.finish(b.node('neg', [b.input('x', [1, 2])]));
    expect(rewrite(graph, [dropAbs])).toBe(graph);
  });

  it('applies a rule until nothing matches and moves outputs along', () => {
    const b = new GraphBuilder();
    const graph = b.finish(b.node('abs', [b.node('abs', [b.node('neg', [b.input('x', [1, 2])])])]));
    const after = rewrite(graph, [dropAbs]);
    expect(after.nodes.map((node) => node.op)).toEqual(['neg']);
    expect(after.outputs[0]!.value).toBe('value_0');
  });

  it('names the rule that never comes to an end', () => {
    const b = new GraphBuilder();
    const graph = b.finish(b.node('neg', [b.input('x', [1, 2])]));
    const spin: Rule = {
      name: 'spin',
      ops: ['neg'],
      match: (node) => ({ remove: [node], add: [{ ...node }] }),
    };
    expect(() => rewrite(graph, [spin])).toThrow(/spin/);
  });

  it('holds a chain of 100,000 nodes', () => {
    const b = new GraphBuilder();
    let x = b.input('x', [1, 2]);
    for (let i = 0; i < 100_000; i++) x = b.node(i % 2 ? 'abs' : 'neg', [x]);
    const after = rewrite(b.finish(x), [dropAbs]);
    expect(after.nodes).toHaveLength(50_000);
  });
});

describe('graph order', () => {
  it('puts producers first and keeps the order of the rest', () => {
    const node = (op: string, inputs: string[], output: string) => ({
      op,
      inputs,
      outputs: [output],
      attrs: {},
      origin: op,
    });
    const sorted = sortNodes([node('b', ['a'], 'b'), node('a', ['x'], 'a'), node('c', ['b'], 'c')]);
    expect(sorted.map(({ op }) => op)).toEqual(['a', 'b', 'c']);
  });

  it('refuses a cycle and names a node on it', () => {
    const node = (origin: string, inputs: string[], output: string) => ({
      op: 'neg',
      inputs,
      outputs: [output],
      attrs: {},
      origin,
    });
    expect(() => sortNodes([node('first', ['b'], 'a'), node('second', ['a'], 'b')])).toThrow(/first|second/);
  });

  it('drops what no output needs, and keeps unused inputs', () => {
    const b = new GraphBuilder();
    const x = b.input('x', [1, 2]);
    b.input('unused', [1, 9]);
    b.node('abs', [x]);
    const after = pruneUnused(b.finish(b.node('neg', [x])));
    expect(after.nodes.map(({ op }) => op)).toEqual(['neg']);
    expect(after.inputs.map(({ name }) => name)).toEqual(['x', 'unused']);
  });
});

describe('verify', () => {
  const graph = () => {
    const b = new GraphBuilder();
    return b.finish(b.node('abs', [b.node('leakyRelu', [b.input('x', [1, 2])], { alpha: 0.1 })]));
  };
  const change = (attrs: Record<string, number>) => {
    const g = graph();
    return { ...g, nodes: [{ ...g.nodes[0]!, attrs }, g.nodes[1]!] };
  };

  it('accepts what the operators say', () => {
    expect(() => verify(graph(), 'typed', opRules)).not.toThrow();
  });

  it('refuses missing, unknown and unfit attributes', () => {
    expect(() => verify(change({}), 'typed', opRules)).toThrow(/alpha/);
    expect(() => verify(change({ alpha: 1, beta: 2 }), 'typed', opRules)).toThrow(/beta/);
    expect(() => verify(change({ alpha: Number.NaN }), 'typed', opRules)).toThrow(/alpha/);
  });

  it('refuses a type that shape inference does not find, and a value made twice', () => {
    const g = graph();
    const values = new Map(g.values).set('value_0', {
      name: 'value_0',
      type: { dtype: 'float32' as const, shape: [1, 3] },
    });
    expect(() => verify({ ...g, values }, 'typed', opRules)).toThrow(/\[1,2\], not float32\[1,3\]/);
    expect(() => verify({ ...g, nodes: [...g.nodes, ...g.nodes] }, 'imported', opRules)).toThrow(
      /second time/,
    );
  });
});

it('prints a graph as stable text', () => {
  const b = new GraphBuilder();
  const graph = b.finish(b.node('leakyRelu', [b.input('x', [1, 2])], { alpha: 0.5 }, 'head/act'));
  expect(print(graph)).toBe(
    'graph "test"\n' +
      'input "x" [1,2] = "x":float32[1,2]\n' +
      '"value_0":float32[1,2] = leakyRelu("x":float32[1,2]) {alpha=0.5} # "head/act"\n' +
      'output "output_0" [1,2] = "value_0":float32[1,2]\n',
  );
});
