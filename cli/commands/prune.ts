import { writeOnnx } from '../../converter/formats/onnx/write.ts';
import type { CostMetric } from '../../converter/prune/cost.ts';
import type { Criterion } from '../../converter/prune/importance.ts';
import type { Schedule } from '../../converter/prune/plan-units.ts';
import type { PrunedModel, PruneTarget } from '../../converter/prune/prune-model.ts';
import { defineCommand } from '../command.ts';
import { badValue } from '../errors.ts';
import { refuseInputs, writeFileAtomically } from '../files/output-file.ts';
import { boardOption, countUpTo, inputShapeOption } from '../options.ts';
import { packageVersion } from '../package-info.ts';
import { formatBytes, formatCount, formatLayer } from '../report/format.ts';
import { formatScore } from '../report/score.ts';
import { renderTable } from '../report/table.ts';
import { type InputShapes, openModel } from '../session/open-model.ts';
import { pruneOpenModel, removeCheckpoint } from '../session/prune.ts';

interface PruneOptions {
  readonly data: string;
  readonly target: PruneTarget;
  readonly output: string;
  readonly criterion: Criterion;
  readonly schedule: Schedule;
  readonly fineTune: boolean;
  readonly distill: boolean;
  readonly epochs: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly step: number;
  readonly seed: number;
  readonly board: string;
  readonly inputShape?: InputShapes;
}

const metrics: readonly CostMetric[] = ['macs', 'bytes', 'instructions'];

/** `macs=0.5`: what may be left of the model's MACs, bytes or instructions. */
export function parseTarget(text: string, name: string): PruneTarget {
  const [metric = '', number = ''] = text.split('=', 2);
  const share = /^(0?\.\d{1,6}|1(\.0*)?|0)$/.test(number) ? Number(number) : Number.NaN;
  const known = metrics.find((one) => one === metric);
  if (!known || !(share > 0 && share < 1)) {
    throw badValue(
      name,
      text,
      'macs=SHARE, bytes=SHARE or instructions=SHARE with a share between 0 and 1, as macs=0.5',
    );
  }
  return { metric: known, share };
}

export function parsePositive(text: string, name: string): number {
  const value = /^\d{0,6}(\.\d{1,9})?(e-?\d{1,2})?$/i.test(text) && text !== '' ? Number(text) : Number.NaN;
  if (!(value > 0 && Number.isFinite(value))) throw badValue(name, text, 'a number above 0');
  return value;
}

function renderPruned(pruned: PrunedModel, output: string, bytes: number): string {
  const layers = renderTable(
    [
      { title: 'layer' },
      { title: 'channels', align: 'right' },
      { title: 'left', align: 'right' },
      { title: '' },
    ],
    pruned.layers.map(({ name, before, after }) => [
      formatLayer(name),
      formatCount(before),
      formatCount(after),
      before === after ? (pruned.kept.find(({ layer }) => layer === name)?.reason ?? '') : '',
    ]),
  );
  const { before, after, measured, score } = pruned;
  const share = (now: number, then: number) => `${((100 * now) / then).toFixed(1)} %`;
  const rows = [
    ['MACs', formatCount(before.macs), formatCount(after.macs), share(after.macs, before.macs)],
    ['int8 weights', formatBytes(before.bytes), formatBytes(after.bytes), share(after.bytes, before.bytes)],
    ...(measured
      ? [
          [
            'instructions',
            formatCount(measured.before),
            formatCount(measured.after),
            share(measured.after, measured.before),
          ],
        ]
      : []),
    ...(score
      ? [[`${score.before.metric}, held out`, formatScore(score.before), formatScore(score.after), '']]
      : []),
  ];
  const totals = renderTable(
    [
      { title: '' },
      { title: 'before', align: 'right' },
      { title: 'after', align: 'right' },
      { title: 'left', align: 'right' },
    ],
    rows,
  );
  return `${layers}\n\n${totals}\n\nwrote ${output} (${formatBytes(bytes)})`;
}

export const command = defineCommand<PruneOptions>({
  usage: '<model>',
  description:
    'Removes the channels that matter least, so that a float model really gets smaller and faster, trains what is ' +
    'left on your data, and writes float ONNX again. A run that was killed goes on when it is started again.',
  examples: [
    'tinyml prune model.onnx --data train.npz --target macs=0.5 -o smaller.onnx',
    'tinyml prune model.onnx --data train.npz --target instructions=0.25 --schedule gradual -o smaller.onnx',
    'tinyml prune model.onnx --data train.npz --target bytes=0.7 --no-fine-tune --criterion l2 -o smaller.onnx',
  ],
  options: [
    {
      flags: '--data <data>',
      help: 'training samples x and labels y: .npz, .csv, or a folder with one subfolder a class',
      required: true,
    },
    {
      flags: '--target <metric=share>',
      help: 'what may be left: macs, bytes or (measured on --board) instructions',
      parse: parseTarget,
      required: true,
    },
    { flags: '-o, --output <file>', help: 'the ONNX file to write', required: true },
    {
      flags: '--criterion <name>',
      help: 'how channels are rated',
      choices: ['taylor', 'l1', 'l2', 'batch-norm'],
      fallback: 'taylor',
    },
    {
      flags: '--schedule <name>',
      help: 'all channels at once, or in rounds with training between',
      choices: ['one-shot', 'gradual'],
      fallback: 'gradual',
    },
    { flags: '--no-fine-tune', help: 'only remove channels' },
    { flags: '--distill', help: 'learn from the unpruned model beside the labels (default)' },
    { flags: '--no-distill', help: 'learn from the labels alone', fallback: true },
    { flags: '--epochs <n>', help: 'passes over the data', parse: parsePositive, fallback: 5 },
    { flags: '--batch <n>', help: 'samples a step', parse: countUpTo(4096), fallback: 32 },
    { flags: '--learning-rate <rate>', help: 'highest rate of Adam', parse: parsePositive, fallback: 0.002 },
    {
      flags: '--step <n>',
      help: 'channel counts become multiples of this; the kernels like 4',
      parse: countUpTo(256),
      fallback: 4,
    },
    { flags: '--seed <n>', help: 'decides the order of samples', parse: countUpTo(999_999_999), fallback: 1 },
    boardOption,
    inputShapeOption,
  ],
  async run(context, [path = ''], options) {
    refuseInputs(options.output, [path, options.data]);
    const model = openModel(context, path, options.inputShape);
    const { learningRate, inputShape: _, ...choice } = options;
    const pruned = await pruneOpenModel(context, model, { ...choice, rate: learningRate });
    const bytes = writeOnnx(pruned.graph, packageVersion());
    writeFileAtomically(options.output, bytes, context.lifetime);
    removeCheckpoint(options.output);
    const { graph: __, ...report } = pruned;
    const { target, criterion, schedule } = options;
    context.output.result({ file: options.output, target, criterion, schedule, ...report }, () =>
      renderPruned(pruned, options.output, bytes.length),
    );
    return 0;
  },
});
