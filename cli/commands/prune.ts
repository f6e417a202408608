import { writeOnnx } from '../../converter/formats/onnx/write.ts';
import type { PrunedModel, PruneTarget } from '../../converter/prune/prune-model.ts';
import type { Sparsity } from '../../converter/prune/sparse-masks.ts';
import type { SparsifiedModel } from '../../converter/prune/sparsify-model.ts';
import { defineCommand } from '../command.ts';
import { missingOption } from '../errors.ts';
import { writeFileAtomically } from '../files/output-file.ts';
import { type InputShapes, openModel } from '../model/open-model.ts';
import { boardOption, inputShapeOption, metricOption } from '../options.ts';
import { packageVersion } from '../package-info.ts';
import { formatBytes, formatCount, formatLayer } from '../report/format.ts';
import { formatScore } from '../report/score.ts';
import { renderTable } from '../report/table.ts';
import { checkpointOf, removeCheckpoint } from '../train/checkpoint-file.ts';
import { pruneOpenModel, sparsifyOpenModel } from '../train/prune.ts';
import {
  type PruneFlags,
  parseSparsity,
  parseTarget,
  pruneOptions,
  pruneSettings,
} from '../train/prune-options.ts';

interface PruneOptions extends PruneFlags {
  readonly data: string;
  readonly target?: PruneTarget;
  readonly sparsity?: Sparsity;
  readonly metric?: string;
  readonly output: string;
  readonly board: string;
  readonly inputShape?: InputShapes;
}

function renderPruned(pruned: PrunedModel): string {
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
  return `${layers}\n\n${totals}`;
}

function renderSparse({ zeros, measured, score }: SparsifiedModel): string {
  const { before, after } = measured;
  const accuracy = score
    ? `, ${score.before.metric} ${formatScore(score.before)} before and ${formatScore(score.after)} after, held out`
    : '';
  return `${(100 * zeros).toFixed(1)} % zeros: ${formatCount(before)} instructions before, ${formatCount(after)} after${accuracy}`;
}

/** Stands for no target where only weights become zero. */
const everything: PruneTarget = { metric: 'macs', share: 1 };

function placeOf({ data, board, output }: PruneOptions) {
  return { data, board, output };
}

export const command = defineCommand<PruneOptions>({
  usage: '<model>',
  paths: ['input'],
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
      path: 'input',
      required: true,
    },
    {
      flags: '--target <metric=share>',
      help: 'what may be left: macs, bytes or (measured on --board) instructions',
      parse: parseTarget,
    },
    {
      flags: '--sparsity <form>',
      help: 'zeros that kernels leave out: block=SHARE, scattered=SHARE or N:M; refused where it makes nothing faster',
      parse: parseSparsity,
    },
    { flags: '-o, --output <file>', help: 'the ONNX file to write', path: 'output', required: true },
    ...pruneOptions,
    metricOption,
    boardOption,
    inputShapeOption,
  ],
  alsoWrites: ({ target, output }) => (target === undefined ? [] : checkpointOf(output)),
  async run(context, [path = ''], options) {
    const { output, sparsity, target } = options;
    if (!target && !sparsity) throw missingOption('prune', '--target <metric=share>');
    const model = openModel(context, path, options.inputShape);
    const settings = { ...pruneSettings({ ...options, target: target ?? everything }), ...placeOf(options) };
    const pruned = target && (await pruneOpenModel(context, model, settings));
    const smaller = pruned ? { ...model, graph: pruned.graph } : model;
    const sparse = sparsity && (await sparsifyOpenModel(context, smaller, sparsity, settings));
    const graph = (sparse ?? pruned)!.graph;
    const bytes = writeOnnx(graph, packageVersion());
    writeFileAtomically(output, bytes, context.lifetime);
    if (pruned) removeCheckpoint(output);
    const { criterion, schedule } = options;
    const report = {
      file: output,
      target,
      criterion,
      schedule,
      ...pruned,
      sparsity,
      sparse,
      graph: undefined,
    };
    context.output.result({ ...report, sparse: sparse && { ...sparse, graph: undefined } }, () =>
      [
        ...(pruned ? [renderPruned(pruned)] : []),
        ...(sparse ? [renderSparse(sparse)] : []),
        `wrote ${output} (${formatBytes(bytes.length)})`,
      ].join('\n\n'),
    );
    return 0;
  },
});
