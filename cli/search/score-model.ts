import type { ConvertedModel } from '../../converter/convert-model.ts';
import { type Score, score } from '../../converter/evaluate/metrics.ts';
import type { Context } from '../context.ts';
import { runConverted, runReference } from '../engine/engines.ts';
import { compileForHost, hasHostCompiler, runOnHost } from '../engine/host-model.ts';
import type { OpenModel } from '../model/open-model.ts';
import type { LabelledPart } from './labelled-samples.ts';

/** Scores a converted model on samples; its C is compiled once, at the first call. */
export function scorerFor(
  context: Context,
  model: OpenModel,
  converted: ConvertedModel,
): (part: LabelledPart) => Promise<Score> {
  let program: Promise<string> | undefined;
  const run = (inputs: LabelledPart['inputs']) => {
    if (!hasHostCompiler()) return runReference(context, model, converted, inputs);
    return runConverted('c', model, converted, inputs, async ({ files, graph }, samples) => {
      program ??= compileForHost(context, files);
      return runOnHost(context, await program, graph, samples);
    });
  };
  return async ({ inputs, labels }) => {
    const { real } = await run(inputs);
    return score(inputs[0]!.array.data, real[0]!, labels);
  };
}
