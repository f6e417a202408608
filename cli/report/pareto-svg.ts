import type { Assignment } from '../../converter/search/space.ts';
import { formatMeasure } from './measure-text.ts';
import { plotScale } from './pareto-plot.ts';
import { measuredTrials, type SearchReport } from './search-report.ts';

const size = { width: 720, height: 440 } as const;
const frame = { left: 90, right: 24, top: 48, bottom: 64 } as const;

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

export function formatAssignment(assignment: Assignment): string {
  return Object.entries(assignment)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

function text(x: number, y: number, content: string, anchor: 'start' | 'middle' | 'end' = 'start'): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}">${escaped(content)}</text>`;
}

/** Quality against time as a picture; every point tells its trial when pointed at. */
export function paretoSvg(report: Omit<SearchReport, 'output'>): string {
  const { metric, trials, front, best } = report;
  const scale = plotScale(report);
  const inner = {
    width: size.width - frame.left - frame.right,
    height: size.height - frame.top - frame.bottom,
  };
  const x = (measures: (typeof best)['measures']) => frame.left + scale.x(measures) * inner.width;
  const y = (measures: (typeof best)['measures']) => frame.top + (1 - scale.y(measures)) * inner.height;
  const fronts = new Set(front.map((entry) => entry.trial));
  const kind = (number: number) => (number === best.trial ? 'best' : fronts.has(number) ? 'front' : 'other');
  const points = measuredTrials(trials)
    .toSorted((a, b) => Number(fronts.has(a.number)) - Number(fronts.has(b.number)))
    .map(({ number, assignment, measures }) => {
      const tip = `trial ${number}: ${formatMeasure(metric, measures.quality)}, ${formatMeasure('latency', measures.latency)}, flash ${formatMeasure('flash', measures.flash)}, RAM ${formatMeasure('ram', measures.ram)}; ${formatAssignment(assignment)}`;
      const radius = number === best.trial ? 7 : 5;
      return `<circle class="${kind(number)}" cx="${x(measures).toFixed(1)}" cy="${y(measures).toFixed(1)}" r="${radius}"><title>${escaped(tip)}</title></circle>`;
    });
  const path = front.map(({ measures }) => `${x(measures).toFixed(1)},${y(measures).toFixed(1)}`).join(' ');
  const [right, bottom] = [size.width - frame.right, size.height - frame.bottom];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" font-family="sans-serif" font-size="13">`,
    '<style>text{fill:#333}.other{fill:#b9c2cc}.front{fill:#1f77b4}.best{fill:#d62728}.line{fill:none;stroke:#1f77b4;stroke-opacity:.4}.axis{stroke:#333}</style>',
    `<rect width="${size.width}" height="${size.height}" fill="#fff"/>`,
    text(frame.left, 28, `${report.model.path} on ${report.board}: ${metric} against ${scale.xTitle}`),
    `<path class="axis" fill="none" d="M${frame.left} ${frame.top}V${bottom}H${right}"/>`,
    text(frame.left - 8, frame.top + 5, scale.top, 'end'),
    text(frame.left - 8, bottom + 5, scale.bottom, 'end'),
    text(frame.left, bottom + 20, scale.left),
    text(right, bottom + 20, scale.right, 'end'),
    text((frame.left + right) / 2, bottom + 44, 'grey: measured, blue: Pareto front, red: best', 'middle'),
    `<polyline class="line" points="${path}"/>`,
    ...points,
    '</svg>',
    '',
  ].join('\n');
}
