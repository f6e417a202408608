import { writeOnnx } from '../../converter/formats/onnx/write.ts';
import type { PrunedModel, PruneTarget } from '../../converter/prune/prune-model.ts';
import { defineCommand } from '../command.ts';
import { refuseInputs, writeFileAtomically } from '../files/output-file.ts';
import { boardOption, inputShapeOption } from '../options.ts';
import { packageVersion } from '../package-info.ts';
import { formatBytes, formatCount, formatLayer } from '../report/format.ts';
import { formatScore } from '../report/score.ts';
import { renderTable } from '../report/table.ts';
import { type InputShapes, openModel } from '../session/open-model.ts';
import { pruneOpenModel, removeCheckpoint } from '../session/prune.ts';
import { type PruneFlags, parseTarget, pruneOptions, pruneSettings } from '../session/prune-options.ts';

interface PruneOptions extends PruneFlags {
  readonly data: string;
  readonly target: PruneTarget;
  readonly output: string;
  readonly board: string;
  readonly inputShape?: InputShapes;
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

function placeOf({ data, board, output }: PruneOptions) {
  return { data, board, output };
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
    ...pruneOptions,
    boardOption,
    inputShapeOption,
  ],
  async run(context, [path = ''], options) {
    refuseInputs(options.output, [path, options.data]);
    const model = openModel(context, path, options.inputShape);
    const pruned = await pruneOpenModel(context, model, { ...pruneSettings(options), ...placeOf(options) });
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
