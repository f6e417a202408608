import { visibleLine } from '../../common/visible-text.ts';

/** One point of a plot of quality (upwards) against cost (to the right). */
export interface ScatterPoint {
  readonly x: number;
  readonly y: number;
  readonly label: string;
  readonly kind: 'other' | 'front' | 'best';
}

export interface Scatter {
  readonly title: string;
  readonly xTitle: string;
  readonly yTitle: string;
  /** The cost's axis is logarithmic, for costs that span magnitudes. */
  readonly logarithmic?: boolean;
  readonly points: readonly ScatterPoint[];
}

const text = { width: 60, height: 12 } as const;
const picture = { width: 720, height: 440, left: 90, right: 24, top: 48, bottom: 64 } as const;
const signs = { other: '.', front: 'o', best: '*' } as const;

/** Points that no other beats: none costs as little and is as good, with one of the two better. */
export function frontOf(points: readonly Pick<ScatterPoint, 'x' | 'y'>[]): Set<number> {
  const beats = (a: Pick<ScatterPoint, 'x' | 'y'>, b: Pick<ScatterPoint, 'x' | 'y'>) =>
    a.x <= b.x && a.y >= b.y && (a.x < b.x || a.y > b.y);
  return new Set([...points.keys()].filter((i) => !points.some((other) => beats(other, points[i]!))));
}

function limits(values: readonly number[]): readonly [number, number] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (low < high) return [low, high];
  const slack = Math.abs(low) * 0.05 || 1;
  return [low - slack, high + slack];
}

function axes({ points, logarithmic = false }: Scatter) {
  const x = limits(points.map((point) => point.x));
  const y = limits(points.map((point) => point.y));
  const share = (value: number, [low, high]: readonly [number, number]) => (value - low) / (high - low);
  const warp = logarithmic && x[0] > 0 ? Math.log : (value: number) => value;
  const across = (value: number) => share(warp(value), [warp(x[0]), warp(x[1])]);
  return { x, y, across, up: (value: number) => share(value, y) };
}

const short = (value: number) => String(Number(value.toPrecision(4)));

/** The better of two marks that fall on one spot. */
function inDrawingOrder(points: readonly ScatterPoint[]): ScatterPoint[] {
  const order = ['other', 'front', 'best'];
  return [...points].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
}

/** The plot in characters: `.` tried, `o` on the front, `*` chosen. */
export function scatterText(plot: Scatter): string {
  const { x, y, across, up } = axes(plot);
  const cells = Array.from({ length: text.height }, () => new Array<string>(text.width).fill(' '));
  for (const point of inDrawingOrder(plot.points)) {
    const row = text.height - 1 - Math.round(up(point.y) * (text.height - 1));
    cells[row]![Math.round(across(point.x) * (text.width - 1))] = signs[point.kind];
  }
  const [top, bottom] = [short(y[1]), short(y[0])];
  const margin = Math.max(top.length, bottom.length);
  const label = (row: number) => (row === 0 ? top : row === text.height - 1 ? bottom : '');
  const [left, right] = [short(x[0]), short(x[1])];
  const gap = ' '.repeat(Math.max(1, text.width - left.length - right.length));
  return [
    `${plot.yTitle} against ${plot.xTitle} (. tried, o Pareto front, * chosen)`,
    ...cells.map((row, i) => `${label(i).padStart(margin)} |${row.join('')}`.trimEnd()),
    `${' '.repeat(margin)} +${'-'.repeat(text.width)}`,
    `${' '.repeat(margin + 2)}${left}${gap}${right}`,
  ].join('\n');
}

function escaped(content: string): string {
  return visibleLine(content).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

function words(x: number, y: number, content: string, anchor: 'start' | 'middle' | 'end' = 'start'): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}">${escaped(content)}</text>`;
}

/** The plot as a picture; a point tells its label when pointed at. */
export function scatterSvg(plot: Scatter): string {
  const { x, y, across, up } = axes(plot);
  const { width, height, left, top } = picture;
  const [right, bottom] = [width - picture.right, height - picture.bottom];
  const at = (point: ScatterPoint) =>
    [left + across(point.x) * (right - left), bottom - up(point.y) * (bottom - top)] as const;
  const circles = inDrawingOrder(plot.points).map((point) => {
    const [cx, cy] = at(point);
    const radius = point.kind === 'best' ? 7 : 5;
    return `<circle class="${point.kind}" cx="${cx.toFixed(1)}" cy="${cy.toFixed(1)}" r="${radius}"><title>${escaped(point.label)}</title></circle>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="13">`,
    '<style>text{fill:#333}.other{fill:#b9c2cc}.front{fill:#1f77b4}.best{fill:#d62728}.axis{stroke:#333;fill:none}</style>',
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    words(left, 28, plot.title),
    `<path class="axis" d="M${left} ${top}V${bottom}H${right}"/>`,
    words(left - 8, top + 5, short(y[1]), 'end'),
    words(left - 8, bottom + 5, short(y[0]), 'end'),
    words(left, bottom + 20, short(x[0])),
    words(right, bottom + 20, short(x[1]), 'end'),
    words((left + right) / 2, bottom + 20, plot.xTitle, 'middle'),
    words(
      (left + right) / 2,
      bottom + 44,
      `up: ${plot.yTitle}; grey: tried, blue: Pareto front, red: chosen`,
      'middle',
    ),
    ...circles,
    '</svg>',
    '',
  ].join('\n');
}
