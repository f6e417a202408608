import { metricNamed } from '../../converter/metrics/metric.ts';
import {
  isQuality,
  type Limit,
  type MeasureName,
  type Measures,
  measuredOf,
  wantsMore,
} from '../../converter/search/measures.ts';
import { formatBytes, formatCount, formatMicroseconds, formatPercent } from './format.ts';

/** A value of one measure in the unit that reads best. */
export function formatMeasure(measure: MeasureName, value: number): string {
  if (isQuality(measure)) return metricNamed(measure).percent ? formatPercent(value) : value.toPrecision(4);
  if (measure === 'latency') return formatMicroseconds(value);
  return measure === 'instructions' ? formatCount(value) : formatBytes(value);
}

export function formatLimit({ measure, value }: Limit): string {
  return `${measure} ${wantsMore(measure) ? 'at least' : 'at most'} ${formatMeasure(measure, value)}`;
}

/** How a measured value stands to a limit: "latency 5.20 ms, at most 5.00 ms allowed: 200.0 us over". */
export function formatMiss(measures: Measures, limit: Limit): string {
  const { measure, value } = limit;
  const measured = measuredOf(measures, measure) ?? 0;
  const gap = formatMeasure(measure, Math.abs(measured - value));
  return `${measure} ${formatMeasure(measure, measured)}, ${wantsMore(measure) ? 'at least' : 'at most'} ${formatMeasure(measure, value)} wanted: ${gap} ${wantsMore(measure) ? 'short' : 'over'}`;
}
