import { loadTf } from '../evaluate/tf.ts';
import type { Graph, Node, Value } from '../ir/types.ts';
import type { Tf } from '../ops/define-op.ts';
import { opOf } from '../ops/index.ts';
import { type LinearLayer, linearLayer, realBias, realWeights } from './linear-layer.ts';
import type { RefineLayer, WalkedLayer } from './walk-layers.ts';

interface Operands {
  readonly input: Float32Array;
  readonly weights: Float32Array;
  readonly bias: Float32Array;
}

/** Mean over samples and positions of each channel of a layer's result before its activation. */
function channelMeans(tf: Tf, layer: LinearLayer, count: number, operands: Operands): Float32Array {
  const { node, input, weights, channels } = layer;
  return tf.tidy(() => {
    const x = tf.tensor(operands.input, [count, ...input.type.shape.slice(1)]);
    const w = tf.tensor(operands.weights, [...weights.type.shape]);
    const b = tf.tensor(operands.bias, [channels]);
    const result = opOf(node.op).float!(tf, [x, w, b], { ...node.attrs, activation: 'none' });
    return tf.mean(tf.reshape(result, [-1, channels]), 0).dataSync() as Float32Array;
  });
}

function shifted(layer: LinearLayer, by: (channel: number) => number): Value {
  const { bias, input, scaleOf } = layer;
  const scale = input.type.quant!.scale[0]!;
  const limit = bias.data instanceof BigInt64Array ? 2 ** 39 : 2 ** 31 - 1;
  const moved = (stored: number, channel: number) => {
    const steps = Math.round(by(channel) / (scale * scaleOf(channel)));
    return Math.max(-limit, Math.min(limit, stored + steps));
  };
  const data =
    bias.data instanceof BigInt64Array
      ? BigInt64Array.from(bias.data, (stored, i) => BigInt(moved(Number(stored), i)))
      : Int32Array.from(bias.data as Int32Array, moved);
  return { ...bias, data };
}

/**
 * Bias correction: what quantization of weights and of all layers before adds to a channel's mean goes out of the
 * layer's bias, on the calibration samples. `floatNode` finds the float graph's node that makes a value.
 * Source: M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019, the
 * variant that measures on data.
 */
export async function biasCorrection(float: Graph): Promise<RefineLayer> {
  const tf = await loadTf();
  const makers = new Map<string, Node>(float.nodes.map((node) => [node.outputs[0]!, node]));
  return async (walked: WalkedLayer) => {
    const layer = linearLayer(walked.graph, walked.node);
    const maker = makers.get(walked.node.outputs[0]!);
    const input = maker && walked.real(maker.inputs[0]!);
    if (!layer || !input || layer.input.type.shape[0] !== 1 || !layer.input.type.quant) return [];
    const [weights, bias] = [maker.inputs[1]!, maker.inputs[2]!].map((name) =>
      Float32Array.from(float.values.get(name)!.data!, Number),
    ) as [Float32Array, Float32Array];
    const wanted = channelMeans(tf, layer, walked.count, { input, weights, bias });
    const stored = {
      input: walked.stored(walked.node.inputs[0]!),
      weights: realWeights(layer),
      bias: realBias(layer),
    };
    const given = channelMeans(tf, layer, walked.count, stored);
    return [shifted(layer, (channel) => wanted[channel]! - given[channel]!)];
  };
}
