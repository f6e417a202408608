import type { Score } from '../../converter/evaluate/metrics.ts';
import { formatPercent } from './format.ts';

/** A score as `tinyml eval` shows it. */
export function formatScore({ metric, value }: Score): string {
  return metric === 'top-1' ? formatPercent(value) : value.toFixed(4);
}
