import { type Measures, wantsMore } from '../../converter/search/measures.ts';
import type { Assignment } from '../../converter/search/space.ts';
import { formatMeasure } from '../report/measure-text.ts';
import type { Scatter } from '../report/scatter-plot.ts';
import { measuredTrials, type SearchReport } from './search-report.ts';

export function formatAssignment(assignment: Assignment): string {
  return Object.entries(assignment)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

/** Quality against time, a point for each trial that was measured. */
export function searchPlot(report: Omit<SearchReport, 'output'>): Scatter {
  const { metric, trials, front, best, model, board } = report;
  const measured = measuredTrials(trials);
  const counted = measured.every((trial) => trial.measures.instructions !== null);
  const fronts = new Set(front.map((entry) => entry.trial));
  const kind = (number: number) =>
    number === best.trial ? 'best' : fronts.has(number) ? 'front' : ('other' as const);
  const upwards = ({ quality }: Measures) =>
    metric === 'accuracy' ? 100 * quality : wantsMore(metric) ? quality : -quality;
  return {
    title: `${model.path} on ${board}`,
    xTitle: counted ? 'instructions' : 'latency in us',
    yTitle: metric === 'accuracy' ? 'accuracy in %' : wantsMore(metric) ? metric : `-${metric}`,
    logarithmic: true,
    points: measured.map(({ number, assignment, measures }) => ({
      x: counted ? measures.instructions! : measures.latency,
      y: upwards(measures),
      kind: kind(number),
      label: `trial ${number}: ${formatMeasure(metric, measures.quality)}, ${formatMeasure('latency', measures.latency)}, flash ${formatMeasure('flash', measures.flash)}, RAM ${formatMeasure('ram', measures.ram)}; ${formatAssignment(assignment)}`,
    })),
  };
}
