import { metricNamed } from '../../converter/metrics/metric.ts';
import type { LayerDiagnosis } from '../../converter/quant/doctor/diagnose.ts';
import type { Attempt, Budget } from '../analyze/climb-ladder.ts';
import { formatBytes, formatCount, formatLayer } from './format.ts';
import { frontOf, type Scatter, scatterText } from './scatter-plot.ts';
import { renderTable } from './table.ts';

/** What `tinyml analyze --json` prints. */
export interface AnalyzeReport {
  readonly model: { readonly path: string; readonly sha256: string; readonly format: string };
  /** Null without labelled data. */
  readonly metric: string | null;
  readonly n: number | null;
  readonly float: number | null;
  readonly board: string | null;
  readonly budget: Budget;
  readonly holds: boolean;
  readonly layers: readonly LayerDiagnosis[];
  readonly attempts: readonly (Attempt & { readonly pareto: boolean })[];
  /** Index of the attempt that was chosen. */
  readonly chosen: number;
  readonly warnings: readonly string[];
}

/** Layers shown to people; --json has all. */
const shownLayers = 12;

const points = (value: number | null) => (value === null ? '' : value.toFixed(2));

function layerTable(layers: readonly LayerDiagnosis[]): string {
  const labelled = layers.some((layer) => layer.cost !== null);
  const rows = layers
    .slice(0, shownLayers)
    .map((layer) => [
      formatLayer(layer.name),
      layer.op,
      ...(labelled ? [points(layer.cost), points(layer.spared)] : []),
      layer.aloneDb.toFixed(1),
      layer.sqnrDb === null ? '' : layer.sqnrDb.toFixed(1),
      layer.causes.map((cause) => `${cause.kind}: ${cause.text}`).join('; '),
    ]);
  const right = (title: string) => ({ title, align: 'right' as const });
  const columns = [
    { title: 'layer' },
    { title: 'op' },
    ...(labelled ? [right('alone'), right('without')] : []),
    right('alone dB'),
    right('SQNR dB'),
    { title: 'why' },
  ];
  const rest = layers.length - rows.length;
  return renderTable(columns, rows) + (rest > 0 ? `\n${rest} more layers cost less (--json lists them)` : '');
}

function attemptTable({ attempts, chosen }: AnalyzeReport): string {
  const labelled = attempts.some((attempt) => attempt.value !== null);
  const measured = attempts.some((attempt) => attempt.board !== null);
  const right = (title: string) => ({ title, align: 'right' as const });
  const rows = attempts.map((attempt, i) => [
    i === chosen ? '*' : attempt.pareto ? 'o' : '',
    attempt.remedy,
    ...(labelled ? [attempt.value!.toFixed(4), points(attempt.lost)] : []),
    attempt.sqnrDb.toFixed(1),
    formatBytes(attempt.weightsBytes),
    ...(measured
      ? [
          attempt.board!.latencyUs.toFixed(0),
          formatCount(attempt.board!.ram),
          formatCount(attempt.board!.flash),
        ]
      : []),
    attempt.misses.join('; '),
  ]);
  return renderTable(
    [
      { title: '' },
      { title: 'tried' },
      ...(labelled ? [right('score'), right('lost')] : []),
      right('SQNR dB'),
      right('weights'),
      ...(measured ? [right('us'), right('RAM'), right('flash')] : []),
      { title: 'over budget' },
    ],
    rows,
  );
}

const isError = (metric: string | null) => metric !== null && metricNamed(metric).better === 'less';

/** Score (or SQNR) against what was measured: time on a board, otherwise bytes of weights. */
export function tradeOff(
  report: Omit<AnalyzeReport, 'attempts'> & { attempts: readonly Attempt[] },
): Scatter {
  const { attempts, chosen, metric, model, board } = report;
  const measured = attempts.every((attempt) => attempt.board !== null);
  const places = attempts.map((attempt) => ({
    x: measured ? attempt.board!.latencyUs : attempt.weightsBytes,
    y: attempt.value === null ? attempt.sqnrDb : isError(metric) ? -attempt.value : attempt.value,
  }));
  const front = frontOf(places);
  return {
    title: `${model.path}${board === null ? '' : ` on ${board}`}`,
    xTitle: measured ? 'latency in us' : 'bytes of weights',
    yTitle: metric === null ? 'SQNR in dB' : isError(metric) ? `-${metric}` : metric,
    points: places.map((place, i) => ({
      ...place,
      label: attempts[i]!.remedy,
      kind: i === chosen ? 'best' : front.has(i) ? 'front' : 'other',
    })),
  };
}

function verdict(report: AnalyzeReport): string {
  const attempt = report.attempts[report.chosen]!;
  const options = attempt.options.join(' ') || '(defaults)';
  if (report.holds) return `chosen: ${attempt.remedy}; repeat it with: tinyml convert ... ${options}`;
  return `the budget does not hold; nearest: ${attempt.remedy} (${attempt.misses.join('; ')}), with ${options}`;
}

export function renderAnalyze(report: AnalyzeReport): string {
  const { metric, float, n, layers, attempts } = report;
  const head =
    metric === null
      ? 'no labels: layers are ranked by the noise that each sends to the result'
      : `${metric} ${float!.toFixed(4)} in float on ${formatCount(n!)} samples; points lost with one layer quantized (alone) and with all others (without)`;
  return [
    head,
    layerTable(layers),
    '',
    attemptTable(report),
    ...(attempts.length > 1 ? ['', scatterText(tradeOff(report))] : []),
    '',
    verdict(report),
  ].join('\n');
}
