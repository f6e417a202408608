import type { ConvertedModel } from '../../converter/convert-model.ts';
import type { Score } from '../../converter/metrics/metric.ts';
import type { Context } from '../context.ts';
import { runConverted, runReference } from '../engine/engines.ts';
import { compileForHost, hasHostCompiler, runOnHost } from '../engine/host-model.ts';
import { type LabelledSet, scoreRun } from '../engine/labelled-set.ts';
import type { OpenModel } from '../model/open-model.ts';

/** Scores a converted model on samples; its C is compiled once, at the first call. */
export function scorerFor(
  context: Context,
  model: OpenModel,
  converted: ConvertedModel,
): (part: LabelledSet) => Promise<Score> {
  let program: Promise<string> | undefined;
  const run = (inputs: LabelledSet['inputs']) => {
    if (!hasHostCompiler()) return runReference(context, model, converted, inputs);
    return runConverted('c', model, converted, inputs, async ({ files, graph }, samples) => {
      program ??= compileForHost(context, files);
      return runOnHost(context, await program, graph, samples);
    });
  };
  return async (part) => scoreRun(part, await run(part.inputs));
}
