import { type Measures, wantsMore } from '../../converter/search/measures.ts';
import { formatMeasure } from './measure-text.ts';
import { measuredTrials, type SearchReport } from './search-report.ts';

const width = 60;
const height = 14;

/** Quality against time: where a point stands, as shares of the plot's width and height from its lower left corner. */
export interface PlotScale {
  readonly x: (measures: Measures) => number;
  readonly y: (measures: Measures) => number;
  readonly left: string;
  readonly right: string;
  readonly bottom: string;
  readonly top: string;
  readonly xTitle: string;
}

/** Values that are all alike stand in the middle. */
function spread(values: readonly number[]): [low: number, high: number] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low < high ? [low, high] : [low - (Math.abs(low) || 1) * 0.05, high + (Math.abs(high) || 1) * 0.05];
}

/** Axes that hold all measured trials; time is logarithmic where it spans more than a factor of four. */
export function plotScale({ trials, metric }: Pick<SearchReport, 'trials' | 'metric'>): PlotScale {
  const points = measuredTrials(trials).map((trial) => trial.measures);
  const counted = points.every((point) => point.instructions !== null);
  const timeOf = (point: Measures) => (counted ? point.instructions! : point.latency);
  const [fast, slow] = spread(points.map(timeOf));
  const [low, high] = spread(points.map((point) => point.quality));
  const warp = slow / Math.max(1e-9, fast) > 4 ? Math.log : (value: number) => value;
  const share = (point: Measures) => (warp(timeOf(point)) - warp(fast)) / (warp(slow) - warp(fast));
  const up = (point: Measures) => (point.quality - low) / (high - low);
  const name = counted ? 'instructions' : 'latency';
  const [bottom, top] = wantsMore(metric) ? [low, high] : [high, low];
  return {
    x: share,
    y: wantsMore(metric) ? up : (point) => 1 - up(point),
    left: formatMeasure(name, fast),
    right: formatMeasure(name, slow),
    bottom: formatMeasure(metric, bottom),
    top: formatMeasure(metric, top),
    xTitle: name,
  };
}

/** The measured trials as dots, the front as `o`, the best as `*`. */
export function renderPlot(report: SearchReport): string {
  const scale = plotScale(report);
  const cells = Array.from({ length: height }, () => new Array<string>(width).fill(' '));
  const mark = (measures: Measures, sign: string) => {
    const column = Math.round(scale.x(measures) * (width - 1));
    const row = height - 1 - Math.round(scale.y(measures) * (height - 1));
    cells[row]![column] = sign;
  };
  for (const trial of measuredTrials(report.trials)) mark(trial.measures, '.');
  for (const entry of report.front) mark(entry.measures, 'o');
  mark(report.best.measures, '*');
  const margin = Math.max(scale.top.length, scale.bottom.length);
  const label = (row: number) => (row === 0 ? scale.top : row === height - 1 ? scale.bottom : '');
  const lines = cells.map((row, i) => `${label(i).padStart(margin)} |${row.join('')}`.trimEnd());
  const gap = ' '.repeat(Math.max(1, width - scale.left.length - scale.right.length));
  const indent = ' '.repeat(margin + 2);
  return [
    `${report.metric} against ${scale.xTitle} (. measured, o front, * best)`,
    ...lines,
    `${' '.repeat(margin)} +${'-'.repeat(width)}`,
    `${indent}${scale.left}${gap}${scale.right}`,
  ].join('\n');
}
