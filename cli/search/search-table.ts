import { missOf } from '../../converter/search/measures.ts';
import { formatLimit, formatMeasure, formatMiss } from '../report/measure-text.ts';

import { scatterText } from '../report/scatter-plot.ts';
import type { Style } from '../report/style.ts';
import { renderTable } from '../report/table.ts';
import { formatAssignment, searchPlot } from './search-plot.ts';
import type { FrontEntry, SearchReport } from './search-report.ts';

function frontTable({ front, metric, best }: SearchReport): string {
  const tested = front.some((entry) => entry.testQuality !== null);
  const counted = front.some((entry) => entry.measures.instructions !== null);
  const row = ({ trial, measures, testQuality, assignment }: FrontEntry) => [
    `${trial}${trial === best.trial ? ' *' : ''}`,
    formatMeasure(metric, measures.quality),
    ...(tested ? [testQuality === null ? '' : formatMeasure(metric, testQuality)] : []),
    formatMeasure('latency', measures.latency),
    ...(counted ? [formatMeasure('instructions', measures.instructions ?? 0)] : []),
    formatMeasure('flash', measures.flash),
    formatMeasure('ram', measures.ram),
    formatAssignment(assignment),
  ];
  const right = (title: string) => ({ title, align: 'right' as const });
  return renderTable(
    [
      { title: 'trial' },
      right(metric),
      ...(tested ? [right('on --test')] : []),
      right('latency'),
      ...(counted ? [right('instructions')] : []),
      right('flash'),
      right('RAM'),
      { title: 'choices' },
    ],
    front.map(row),
  );
}

function verdict({ feasible, budget, best, counts, trials }: SearchReport, style: Style): string[] {
  const { measured, stopped, failed } = counts;
  const counted = `${trials.length} trials: ${measured} measured, ${stopped} stopped early, ${failed} failed`;
  if (budget.length === 0) return [counted];
  const limits = `budget: ${budget.map(formatLimit).join(', ')}`;
  if (feasible) return [counted, style.green(`${limits}: kept by trial ${best.trial}`)];
  const missed = budget.filter((limit) => missOf(best.measures, limit) > 0);
  return [
    counted,
    style.red(`${limits}: no trial keeps it`),
    `the nearest is trial ${best.trial}:`,
    ...missed.map((limit) => `  ${formatMiss(best.measures, limit)}`),
  ];
}

/** The front as a table and as a plot, and whether the budget was kept. */
export function renderSearch(report: SearchReport, style: Style): string {
  const { study, plot, output } = report;
  const files = [study, plot, ...(output === null ? [] : [`${output} (trial ${report.best.trial})`])];
  return [
    scatterText(searchPlot(report)),
    '',
    frontTable(report),
    '',
    ...verdict(report, style),
    `wrote ${files.join(', ')}`,
  ].join('\n');
}
