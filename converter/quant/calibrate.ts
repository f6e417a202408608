import { evaluateFloat, type FloatBatch } from '../evaluate/float.ts';
import { turn } from '../evaluate/turn.ts';
import type { Graph } from '../ir/types.ts';
import { type CalibrationMethod, chooseRange } from './choose-range.ts';
import { activationNotFinite } from './errors.ts';
import { addToHistogram, type Histogram } from './histogram.ts';
import type { Range } from './range.ts';

/** Ranges of every computed value of a float graph, by value name. */
export type Ranges = ReadonlyMap<string, Range>;

/** What was seen of every computed value, by value name. */
export type Histograms = ReadonlyMap<string, Histogram>;

/** The method for each tensor: one for all, and others for the results of layers named by their origin. */
export interface MethodChoice {
  readonly method: CalibrationMethod;
  readonly ofLayer?: ReadonlyMap<string, CalibrationMethod>;
}

function originOf(graph: Graph, value: string): string {
  return graph.nodes.find((node) => node.outputs.includes(value))?.origin ?? value;
}

/** Runs `count` samples through the float graph and counts the values of every tensor. */
export async function observeValues(graph: Graph, samples: FloatBatch, count: number): Promise<Histograms> {
  const histograms = new Map<string, Histogram>();
  await evaluateFloat(graph, samples, count, (name, data) => {
    const histogram = addToHistogram(histograms.get(name), data);
    if (!Number.isFinite(histogram.min) || !Number.isFinite(histogram.max))
      throw activationNotFinite(originOf(graph, name));
    histograms.set(name, histogram);
  });
  return histograms;
}

/** The range of each tensor from what was seen of it. */
export async function chooseRanges(
  graph: Graph,
  histograms: Histograms,
  { method, ofLayer }: MethodChoice,
): Promise<Ranges> {
  const methods = new Map<string, CalibrationMethod>();
  for (const node of graph.nodes) {
    const own = ofLayer?.get(node.origin);
    if (own) for (const name of node.outputs) methods.set(name, own);
  }
  const ranges = new Map<string, Range>();
  for (const [name, histogram] of histograms) {
    ranges.set(name, chooseRange(histogram, methods.get(name) ?? method));
    await turn();
  }
  return ranges;
}

/** Runs `count` samples through the float graph and chooses each value's range. */
export async function calibrate(
  graph: Graph,
  samples: FloatBatch,
  count: number,
  method: CalibrationMethod,
): Promise<Ranges> {
  return chooseRanges(graph, await observeValues(graph, samples, count), { method });
}
