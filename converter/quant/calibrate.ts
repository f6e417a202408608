import { evaluateFloat, type FloatBatch } from '../evaluate/float.ts';
import { turn } from '../evaluate/turn.ts';
import type { Graph } from '../ir/types.ts';
import { type CalibrationMethod, chooseRange, type Range } from './choose-range.ts';
import { activationNotFinite } from './errors.ts';
import { addToHistogram, type Histogram } from './histogram.ts';

/** Ranges of every computed value of a float graph, by value name. */
export type Ranges = ReadonlyMap<string, Range>;

function originOf(graph: Graph, value: string): string {
  return graph.nodes.find((node) => node.outputs.includes(value))?.origin ?? value;
}

/** Runs `count` samples through the float graph and chooses each value's range. */
export async function calibrate(
  graph: Graph,
  samples: FloatBatch,
  count: number,
  method: CalibrationMethod,
): Promise<Ranges> {
  const histograms = new Map<string, Histogram>();
  await evaluateFloat(graph, samples, count, (name, data) => {
    const histogram = addToHistogram(histograms.get(name), data);
    if (!Number.isFinite(histogram.min) || !Number.isFinite(histogram.max))
      throw activationNotFinite(originOf(graph, name));
    histograms.set(name, histogram);
  });
  const ranges = new Map<string, Range>();
  for (const [name, histogram] of histograms) {
    ranges.set(name, chooseRange(histogram, method));
    await turn();
  }
  return ranges;
}
