import { evaluateFloat } from '../evaluate/float.ts';
import { tensorOf, viewOf } from '../ir/graph.ts';
import { Names } from '../ir/names.ts';
import { elementCount } from '../ir/tensor.ts';
import type { Graph, Node, Value } from '../ir/types.ts';
import type { FloatTensor, Tf } from '../ops/define-op.ts';
import type { Trainer } from '../train/trainer.ts';
import type { ChannelGroup, ChannelMap, PrunableUnit } from './channel-groups.ts';

/**
 * How much a channel matters. `taylor`: the expected change of the loss when it is switched off, by the square of
 * gradient times activation (Theis et al., 2018; Molchanov et al., 2019); `l1`, `l2`: norm of its filter, relative to
 * those of its layer (Li et al., 2017); `batch-norm`: the spread of its values before the activation, which is what
 * batch normalization's factor sets (Liu et al., 2017), measured on data, so that it works where it was folded away.
 */
export type Criterion = 'taylor' | 'l1' | 'l2' | 'batch-norm';

/** Importance by the id of a channel group. */
export type Importance = ReadonlyMap<number, number>;

const allGroups = (map: ChannelMap): ChannelGroup[] => map.units.flatMap((unit) => [...unit.groups]);

/** Norms relative to the mean of the layer, so that layers compare. */
function relative(units: readonly PrunableUnit[], raw: (group: ChannelGroup) => number): Importance {
  const result = new Map<number, number>();
  for (const { groups } of units) {
    const norms = groups.map(raw);
    const mean = norms.reduce((sum, norm) => sum + norm, 0) / norms.length || 1;
    for (const [i, group] of groups.entries()) result.set(group.id, norms[i]! / mean);
  }
  return result;
}

function filterNorm(
  graph: Graph,
  made: ReadonlyMap<string, Node>,
  group: ChannelGroup,
  power: 1 | 2,
): number {
  let sum = 0;
  for (const [value, channel] of group.made) {
    const weights = tensorOf(graph, made.get(value)!.inputs[1]!);
    const each = elementCount(weights.type.shape.slice(1));
    const data = weights.data as Float32Array;
    for (let i = channel * each; i < (channel + 1) * each; i++) sum += Math.abs(data[i]!) ** power;
  }
  return power === 2 ? Math.sqrt(sum) : sum;
}

/** Importance by the size of weights alone. */
export function byMagnitude(graph: Graph, map: ChannelMap, power: 1 | 2): Importance {
  const made = new Map(graph.nodes.map((node) => [node.outputs[0]!, node]));
  return relative(map.units, (group) => filterNorm(graph, made, group, power));
}

/** The graph with the activation of every layer that makes channels as a node of its own, and the values before it. */
function withoutFusedActivations(graph: Graph, makers: ReadonlySet<string>) {
  const names = new Names(graph.values.keys());
  const values = new Map<string, Value>(graph.values);
  const before = new Map<string, string>();
  const nodes = graph.nodes.flatMap((node): Node[] => {
    const output = node.outputs[0]!;
    if (!makers.has(output)) return [node];
    const { activation } = node.attrs;
    if (activation === 'none') {
      before.set(output, output);
      return [node];
    }
    const name = names.fresh(`${output}/before`);
    values.set(name, { name, type: tensorOf(graph, output).type });
    before.set(output, name);
    return [
      { ...node, outputs: [name], attrs: { ...node.attrs, activation: 'none' } },
      { ...node, op: activation as string, inputs: [name], attrs: {} },
    ];
  });
  return { graph: { ...graph, nodes, values }, before };
}

/** Sums and squares of each channel of the values wanted, over all samples and positions. */
async function channelMoments(
  graph: Graph,
  inputs: readonly Float32Array[],
  count: number,
  wanted: ReadonlySet<string>,
) {
  const moments = new Map<string, { sum: Float64Array; squares: Float64Array; rows: number }>();
  await evaluateFloat(graph, inputs, count, (name, data) => {
    if (!wanted.has(name)) return;
    const channels = tensorOf(graph, name).type.shape.at(-1) ?? 1;
    const held = moments.get(name) ?? {
      sum: new Float64Array(channels),
      squares: new Float64Array(channels),
      rows: 0,
    };
    moments.set(name, held);
    held.rows += data.length / channels;
    for (let i = 0; i < data.length; ) {
      for (let c = 0; c < channels; c++, i++) {
        held.sum[c]! += data[i]!;
        held.squares[c]! += data[i]! * data[i]!;
      }
    }
  });
  return moments;
}

/** Importance by the spread of each channel before its activation. */
export async function bySpread(
  graph: Graph,
  map: ChannelMap,
  inputs: readonly Float32Array[],
  count: number,
): Promise<Importance> {
  const makers = new Set(allGroups(map).flatMap((group) => group.made.map(([value]) => value)));
  const split = withoutFusedActivations(graph, makers);
  const moments = await channelMoments(split.graph, inputs, count, new Set(split.before.values()));
  return relative(map.units, (group) =>
    group.made.reduce((sum, [value, channel]) => {
      const { sum: total, squares, rows } = moments.get(split.before.get(value)!)!;
      const mean = total[channel]! / rows;
      return sum + Math.sqrt(Math.max(0, squares[channel]! / rows - mean * mean));
    }, 0),
  );
}

/** Mean of each channel that a layer with weights reads, to make up for removed ones in its bias. */
export async function inputMeans(
  graph: Graph,
  inputs: readonly Float32Array[],
  count: number,
): Promise<ReadonlyMap<string, Float64Array>> {
  const readers = graph.nodes.filter((node) => node.op === 'conv2d' || node.op === 'fullyConnected');
  const wanted = new Set(readers.map((node) => node.inputs[0]!));
  const moments = await channelMoments(graph, inputs, count, wanted);
  return new Map([...moments].map(([name, { sum, rows }]) => [name, sum.map((total) => total / rows)]));
}

/** Importance by what the loss would lose: gates of 1 on every channel, and the gradients of each sample's loss. */
export function byTaylor(
  tf: Tf,
  graph: Graph,
  map: ChannelMap,
  trainer: Trainer,
  batches: readonly Int32Array[],
): Importance {
  const groups = allGroups(map);
  const view = viewOf(graph);
  const makers = [...new Set(groups.flatMap((group) => group.made.map(([value]) => value)))].filter(
    (value) => view.producer(value) !== undefined,
  );
  const importance = new Map(groups.map((group) => [group.id, 0]));
  for (const picked of batches) {
    const gradients = gateGradients(tf, graph, makers, trainer, picked);
    for (const group of groups) {
      let sum = 0;
      for (let n = 0; n < picked.length; n++) {
        let change = 0;
        for (const [value, channel] of group.made) {
          const channels = tensorOf(graph, value).type.shape.at(-1)!;
          change += gradients.get(value)![n * channels + channel]! * picked.length;
        }
        sum += change * change;
      }
      importance.set(group.id, importance.get(group.id)! + sum / picked.length / batches.length);
    }
  }
  return importance;
}

function gateGradients(
  tf: Tf,
  graph: Graph,
  makers: readonly string[],
  trainer: Trainer,
  picked: Int32Array,
): Map<string, Float32Array> {
  const result = new Map<string, Float32Array>();
  tf.tidy(() => {
    const weights = trainer.tensors();
    const gates = makers.map((value) => {
      const { shape } = tensorOf(graph, value).type;
      return tf.ones([picked.length, ...shape.slice(1, -1).map(() => 1), shape.at(-1)!]);
    });
    const grads = tf.grads((...open: FloatTensor[]) => {
      const gateOf = new Map(makers.map((value, i) => [value, open[i]!]));
      return trainer.loss(picked, weights, {
        onValue: (name, value) => (gateOf.has(name) ? tf.mul(value, gateOf.get(name)!) : value),
      });
    })(gates);
    for (const [i, value] of makers.entries()) result.set(value, grads[i]!.dataSync() as Float32Array);
  });
  return result;
}
