import { visibleLine } from '../../common/visible-text.ts';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/** Width on a terminal, for the Latin text that reports are made of. */
function widthOf(text: string): number {
  return [...text].length;
}

function pad(text: string, width: number, align: 'left' | 'right'): string {
  const fill = ' '.repeat(Math.max(0, width - widthOf(text)));
  return align === 'right' ? fill + text : text + fill;
}

/** A table of plain text: two spaces between columns, a rule under the titles, no trailing blanks. */
export function renderTable(columns: readonly Column[], content: readonly (readonly string[])[]): string {
  // A name with a line feed must not become a row of its own.
  const rows = content.map((row) => row.map(visibleLine));
  const widths = columns.map((column, i) =>
    Math.max(widthOf(column.title), ...rows.map((row) => widthOf(row[i] ?? ''))),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => pad(cell, widths[i]!, columns[i]!.align ?? 'left'))
      .join('  ')
      .trimEnd();
  const titles = columns.map((column) => column.title);
  const hasTitles = titles.some((title) => title !== '');
  const head = hasTitles ? [line(titles), widths.map((width) => '-'.repeat(width)).join('  ')] : [];
  return [...head, ...rows.map((row) => line(columns.map((_, i) => row[i] ?? '')))].join('\n');
}

/** Label and value, one pair a line. */
export function renderPairs(pairs: readonly (readonly [string, string])[]): string {
  return renderTable([{ title: '' }, { title: '' }], pairs);
}
