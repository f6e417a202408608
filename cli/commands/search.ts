import { randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { parseBudget } from '../../converter/search/parse-budget.ts';
import { type SamplerName, samplerNames } from '../../converter/search/suggest.ts';
import { defineCommand } from '../command.ts';
import { badValue } from '../errors.ts';
import { nameAfter, placeBeside } from '../files/default-places.ts';
import {
  boardOption,
  calibOption,
  countUpTo,
  forceOption,
  inputShapeOption,
  metricOption,
  portOption,
} from '../options.ts';
import type { KnobLimit } from '../search/knobs.ts';
import { performSearch, type SearchOptions } from '../search/perform-search.ts';
import { renderSearch } from '../search/search-table.ts';

interface Options extends Omit<SearchOptions, 'only' | 'budget' | 'port'> {
  readonly budget?: SearchOptions['budget'];
  readonly only?: SearchOptions['only'];
  readonly port?: readonly string[];
}

const studyEnding = '.search.jsonl';

/** `NAME=VALUE,VALUE`; which names and values there are depends on the model. */
function parseOnly(text: string, name: string): KnobLimit {
  const match = /^(\w+)=([\w.,-]+)$/.exec(text);
  if (!match) throw badValue(name, text, 'NAME=VALUE or NAME=VALUE,VALUE, for example calibration=mse,kl');
  return [match[1]!, match[2]!.split(',')];
}

export const command = defineCommand<Options>({
  usage: '<model>',
  paths: ['input'],
  description:
    'Searches for the best conversion of a model within a budget: pruning, quantization and code generation are chosen trial by ' +
    'trial, and what is promising is measured on the board. The same command goes on after an interruption.',
  examples: [
    'tinyml search model.onnx --data data.npz --budget "accuracy>=0.97,latency<5ms,ram<20k" --trials 50',
    'tinyml search model.onnx --data train.npz --test test.npz --budget accuracy=97%,flash=64k -o best',
    'tinyml search model.onnx --data data.npz --queue redis://build-server:6379 --board nucleo-f446re',
  ],
  options: [
    {
      flags: '--data <data>',
      help: 'samples x with labels y, to measure accuracy on',
      path: 'input',
      required: true,
    },
    { ...calibOption, help: `${calibOption.help} (default: --data)` },
    {
      flags: '--train <data>',
      help: 'labelled samples to train pruned models on (default: half of --data, the other half is scored on)',
      path: 'input',
    },
    {
      flags: '--test <data>',
      help: 'labelled samples that the search does not see; the front is scored on them',
      path: 'input',
    },
    {
      flags: '--budget <limits>',
      help: 'what must hold, for example "accuracy>=0.97,latency<5ms,ram<20k"; also auc, mse and every other metric, instructions, flash',
      parse: parseBudget,
      setting: 'budget',
    },
    metricOption,
    {
      flags: '--only <knob=values>',
      help: 'leave fewer values of one choice, for example pruneTo=1 or calibration=mse,kl (may be repeated)',
      parse: parseOnly,
      repeat: true,
    },
    {
      flags: '--trials <n>',
      help: 'trials in all, earlier runs included',
      parse: countUpTo(10_000),
      fallback: 50,
      setting: 'trials',
    },
    boardOption,
    { ...portOption, help: `${portOption.help} (may be repeated: a worker for each board)`, repeat: true },
    {
      flags: '-o, --output <dir>',
      help: 'write the best conversion to this folder, as convert does',
      path: 'folder',
    },
    forceOption,
    {
      flags: '--study <file>',
      help: 'the file that holds all trials (default: beside -o, without it in the working folder)',
      path: 'grows',
      fallbackFrom: ([model = ''], { output }) =>
        output === undefined ? `${nameAfter(model)}${studyEnding}` : placeBeside(String(output), studyEnding),
    },
    {
      flags: '--plot <file>',
      help: 'the Pareto front as SVG (default: beside the study)',
      path: 'output',
      fallbackFrom: (_, { study }) => `${String(study).replace(/\.jsonl$/, '')}.svg`,
    },
    {
      flags: '--sampler <name>',
      help: 'tpe: tree-structured Parzen estimator; nsga2: genetic; random',
      choices: samplerNames,
      fallback: 'tpe' satisfies SamplerName,
      setting: 'sampler',
    },
    {
      flags: '--seed <n>',
      help: 'the same seed tries the same',
      parse: countUpTo(999_999_999),
      fallback: 1,
      setting: 'seed',
    },
    {
      flags: '-j, --jobs <n>',
      help: 'worker processes on this machine (default: one for each processor, 8 at most), or trials in the queue at a time (default: 8)',
      parse: countUpTo(256),
      setting: 'jobs',
    },
    {
      flags: '--trial-timeout <s>',
      help: 'seconds after which a trial is given up',
      parse: countUpTo(86_400),
      fallback: 600,
      setting: 'trialTimeout',
    },
    {
      flags: '--queue <url>',
      help: 'spread trials over machines that run tinyml worker, through this Redis server',
      path: 'none',
      setting: 'queue',
    },
    inputShapeOption,
  ],
  async run(context, [path = ''], options) {
    const report = await performSearch(context, path, {
      ...options,
      budget: options.budget ?? [],
      only: options.only ?? [],
      ports: options.port ?? [],
      jobs: options.jobs ?? (options.queue === undefined ? Math.min(8, availableParallelism()) : 8),
      id: randomUUID(),
    });
    context.output.result(report, () => renderSearch(report, context.output.style));
    return report.feasible ? 0 : 3;
  },
});
