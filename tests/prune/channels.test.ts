import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { evaluateFloat } from '../../converter/evaluate/float.ts';
import { importModel } from '../../converter/import-model.ts';
import { viewOf } from '../../converter/ir/graph.ts';
import { elementCount } from '../../converter/ir/tensor.ts';
import type { Graph, Value } from '../../converter/ir/types.ts';
import { verify } from '../../converter/ir/verify.ts';
import { opRules } from '../../converter/ops/rules.ts';
import { optimize } from '../../converter/pipeline.ts';
import { type ChannelGroup, mapChannels } from '../../converter/prune/channel-groups.ts';
import { costWithout } from '../../converter/prune/cost.ts';
import { removeChannels } from '../../converter/prune/remove-channels.ts';
import { GraphBuilder, randomFloats } from '../support/graphs.ts';
import { sharedFolder } from '../support/oracle.ts';

const window = { strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1] };

function conv(build: GraphBuilder, x: string, from: number, to: number, origin: string, activation = 'relu') {
  const weights = build.constant([to, 3, 3, from]);
  return build.node('conv2d', [x, weights, build.constant([to])], { ...window, activation }, origin);
}

function dense(build: GraphBuilder, x: string, from: number, to: number, origin: string) {
  const inputs = [x, build.constant([to, from]), build.constant([to])];
  return build.node('fullyConnected', inputs, { activation: 'none' }, origin);
}

/** Everything that ties channels: a residual sum, depthwise, concatenation, slice, pool, constants, flatten. */
function knot(): Graph {
  const build = new GraphBuilder();
  const x = build.input('x', [1, 6, 6, 3]);
  const a = conv(build, x, 3, 8, 'a');
  const b = conv(build, a, 8, 8, 'b');
  const sum = build.node('add', [a, b], { activation: 'relu' }, 'sum');
  const filters = [sum, build.constant([1, 3, 3, 8]), build.constant([8])];
  const deep = build.node('depthwiseConv2d', filters, { ...window, activation: 'relu6' }, 'deep');
  const c = conv(build, deep, 8, 6, 'c');
  const scaled = build.node('mul', [c, build.constant([6])], { activation: 'none' }, 'scaled');
  const joined = build.node('concatenation', [deep, scaled], { axis: 3 }, 'joined');
  const cutAttrs = { begin: [0, 0, 0, 5], size: [1, 6, 6, 7], strides: [1, 1, 1, 1] };
  const part = build.node('slice', [joined], cutAttrs, 'part');
  const pool = { filter: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0], activation: 'none' };
  const pooled = build.node('maxPool2d', [part], pool, 'pooled');
  const flat = build.node('reshape', [pooled], { shape: [1, 3 * 3 * 7] }, 'flat');
  return build.finish(dense(build, flat, 63, 4, 'head'));
}

/** The graph with channels silenced: the layers that make them give zero there, and so do depthwise ones behind. */
function silenced(graph: Graph, groups: readonly ChannelGroup[]): Graph {
  const map = mapChannels(graph);
  const ids = new Set(groups.map(({ id }) => id));
  const values = new Map<string, Value>(graph.values);
  for (const node of graph.nodes) {
    const silent = map.groupsOf(node.outputs[0]!)?.map((id) => ids.has(id)) ?? [];
    if (node.inputs.length !== 3 || !silent.includes(true)) continue;
    for (const name of node.inputs.slice(1)) {
      const value = values.get(name)!;
      const isDepthwise = node.op === 'depthwiseConv2d';
      const each = isDepthwise ? 1 : elementCount(value.type.shape.slice(1));
      const data = (value.data as Float32Array).map((number, i) =>
        silent[Math.floor(i / each) % silent.length] ? 0 : number,
      );
      values.set(name, { ...value, data });
    }
  }
  return { ...graph, values };
}

/** Every third group, but never all of a layer. */
function someGroups(graph: Graph): ChannelGroup[] {
  return mapChannels(graph).units.flatMap(({ groups }) => groups.filter((_, i) => i % 3 === 1));
}

async function expectSameResults(graph: Graph) {
  const groups = someGroups(graph);
  expect(groups.length).toBeGreaterThan(0);
  const quiet = silenced(graph, groups);
  const removed = new Set(groups.map(({ id }) => id));
  const smaller = removeChannels(quiet, mapChannels(quiet), removed);
  verify(smaller, 'typed', opRules);
  const x = graph.inputs.map(({ shape }) => randomFloats(elementCount(shape), 11));
  const [expected] = await evaluateFloat(quiet, x, 1);
  const [actual] = await evaluateFloat(smaller, x, 1);
  const scale = Math.max(1, ...expected!.map(Math.abs));
  for (const [i, value] of expected!.entries()) expect(actual![i]! / scale).toBeCloseTo(value / scale, 4);
  const parameters = (one: Graph) =>
    [...one.values.values()].reduce((sum, { data }) => sum + (data?.length ?? 0), 0);
  expect(parameters(smaller)).toBeLessThan(parameters(quiet));
  const predicted = costWithout(quiet, mapChannels(quiet), removed);
  expect(costWithout(smaller, mapChannels(smaller), new Set())).toEqual(predicted);
}

describe('removing channels', () => {
  test('channels that give zero can be removed without a change of the results', () =>
    expectSameResults(knot()));

  test('what is added, sliced or joined is tied together', () => {
    const map = mapChannels(knot());
    expect(map.units.map(({ layers, groups }) => [layers, groups.length])).toEqual([
      [['a', 'b'], 8],
      [['c'], 6],
    ]);
    expect(map.kept).toEqual([{ layer: 'head', reason: 'its channels are an output of the model' }]);
  });

  test('a channel that a slice leaves out still goes from the parts that hold it', () => {
    const graph = knot();
    const map = mapChannels(graph);
    const first = map.units[0]!.groups.find(({ made }) => made[0]![1] === 0)!;
    const smaller = removeChannels(graph, map, new Set([first.id]));
    const slice = smaller.nodes.find(({ op }) => op === 'slice')!;
    expect(slice.attrs['begin']).toEqual([0, 0, 0, 4]);
    expect(slice.attrs['size']).toEqual([1, 6, 6, 7]);
  });

  test('a softmax over channels, or a broadcast, keeps them and says so', () => {
    const build = new GraphBuilder();
    const x = build.input('x', [1, 4, 4, 2]);
    const gate = conv(build, x, 2, 1, 'gate', 'none');
    const body = conv(build, x, 2, 4, 'body');
    const gated = build.node('mul', [body, gate], { activation: 'none' }, 'gated');
    const soft = build.node('softmax', [conv(build, gated, 4, 3, 'scores', 'none')], { beta: 1 }, 'soft');
    const map = mapChannels(build.finish(conv(build, soft, 3, 2, 'last')));
    expect(map.units.map(({ layers }) => layers)).toEqual([['body']]);
    const reasons = new Map(map.kept.map(({ layer, reason }) => [layer, reason]));
    expect(reasons.get('gate')).toContain('mul (gated) repeats its one channel');
    expect(reasons.get('scores')).toContain('softmax (soft) needs all channels');
  });

  test('means of removed channels move into the biases of their readers', async () => {
    const build = new GraphBuilder();
    const x = build.input('x', [1, 3]);
    const hidden = dense(build, x, 3, 6, 'hidden');
    const graph = build.finish(dense(build, hidden, 6, 2, 'out'));
    const map = mapChannels(graph);
    const group = map.units[0]!.groups[2]!;
    const input = randomFloats(3, 5);
    let seen: Float32Array | undefined;
    const [expected] = await evaluateFloat(graph, [input], 1, (name, data) => {
      if (name === hidden) seen = data.slice();
    });
    const means = new Map([[hidden, Float64Array.from(seen!)]]);
    const [actual] = await evaluateFloat(removeChannels(graph, map, new Set([group.id]), means), [input], 1);
    for (const [i, value] of expected!.entries()) expect(actual![i]).toBeCloseTo(value, 5);
  });
});

const shared = sharedFolder();
const networks = [
  'digits_mbv2',
  'digits_lenet',
  'motor_tcn',
  'motor_ae',
  'ic_torch',
  'kws_torch',
  'vww_torch',
];

describe.skipIf(!shared)('real networks lose channels (skipped without ../shared)', () => {
  test.each(networks)('%s computes the same without silent channels', async (name) => {
    const bytes = readFileSync(join(shared!, 'models', `${name}.onnx`));
    const graph = optimize(importModel(bytes, { fileName: name }).graph);
    expect(viewOf(graph).isOutput(graph.outputs[0]!.value)).toBe(true);
    await expectSameResults(graph);
  });
});
