import { tensorOf } from '../ir/graph.ts';
import { elementCount } from '../ir/tensor.ts';
import type { Graph } from '../ir/types.ts';
import type { Histograms } from './calibrate.ts';
import type { CalibrationData } from './quantize-model.ts';

/** Fewer calibration samples than this give ranges that depend on chance. */
const fewSamples = 32;
/** Less variety than this among the samples is worth a word. */
const leastDistinct = 0.5;
/** Names listed before the rest is only counted. */
const listed = 4;

/** Samples that differ from all before them, by a 32-bit hash of their bytes (FNV-1a). */
function distinctSamples({ inputs, count }: CalibrationData): number {
  const seen = new Set<string>();
  for (let n = 0; n < count; n++) {
    const key = inputs.map((data) => {
      const size = data.length / count;
      const sample = data.subarray(n * size, (n + 1) * size);
      const bytes = new Uint8Array(sample.buffer, sample.byteOffset, sample.byteLength);
      return bytes.reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193), 0x811c9dc5);
    });
    seen.add(key.join());
  }
  return seen.size;
}

function some(names: readonly string[]): string {
  const shown = names.slice(0, listed).join(', ');
  return names.length > listed ? `${shown} and ${names.length - listed} more` : shown;
}

function constantInputs(graph: Graph, histograms: Histograms): string[] {
  return graph.inputs
    .filter(({ value }) => {
      const seen = histograms.get(value);
      return seen && seen.min === seen.max;
    })
    .map(
      ({ name, value }) => `input ${name} is ${histograms.get(value)!.min} throughout the calibration data`,
    );
}

function constantLayers(graph: Graph, histograms: Histograms): string[] {
  const dead = graph.nodes.filter((node) => {
    const seen = histograms.get(node.outputs[0]!);
    const size = elementCount(tensorOf(graph, node.outputs[0]!).type.shape);
    return seen && seen.min === seen.max && size > 1;
  });
  const names = [...new Set(dead.map((node) => node.origin))];
  return names.length === 0 ? [] : [`one and the same value on all calibration samples: ${some(names)}`];
}

/** What is wrong with a calibration set, in sentences: too small, constant, repetitive, or not reaching a layer. */
export function judgeCalibration(graph: Graph, data: CalibrationData, histograms: Histograms): string[] {
  const { count } = data;
  const distinct = distinctSamples(data);
  return [
    ...(count < fewSamples
      ? [`only ${count} calibration samples; ${fewSamples} or more give steadier ranges`]
      : []),
    ...(count > 1 && distinct < leastDistinct * count
      ? [`only ${distinct} of ${count} calibration samples differ from each other`]
      : []),
    ...constantInputs(graph, histograms),
    ...constantLayers(graph, histograms),
  ];
}
