import { type Accuracy, metricNamed, type Score } from '../../converter/metrics/metric.ts';
import { formatCount, formatPercent } from './format.ts';

/** A score as `tinyml eval` shows it. */
export function formatScore({ metric, value }: Pick<Score, 'metric' | 'value'>): string {
  return metricNamed(metric).percent ? formatPercent(value) : value.toFixed(4);
}

/** A float model and its conversion side by side. */
export function accuracyText({ metric, n, float, int8 }: Accuracy): string {
  const show = (value: number) => formatScore({ metric, value });
  const pair = float === null ? `int8 ${show(int8)}` : `float ${show(float)}, int8 ${show(int8)}`;
  return `${pair} (${metric}, ${formatCount(n)} samples)`;
}
