import type { DataArray } from './array.ts';
import { badArrayFile, badCell } from './errors.ts';

const labelNames = new Set(['y', 'label', 'labels', 'class', 'target']);
const number = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?$/;

export interface CsvOptions {
  /** The last column is the label when no column is named y, label, class or target. */
  readonly lastIsLabel: boolean;
}

export interface CsvTable {
  readonly x: DataArray;
  readonly y?: DataArray;
  /** Names of the classes when labels are words, in the order of their numbers. */
  readonly classes?: readonly string[];
}

interface Row {
  readonly line: number;
  readonly cells: readonly string[];
}

const whole = /^[+-]?\d+$/;

/**
 * A table of numbers, one sample a row; commas, semicolons or tabs; a first row of names is optional. Labels are
 * numbers or words (numbered in sorted order). A table of whole numbers only is of type int64, as pandas has it, any
 * other float32. Throws E_CSV with line and column.
 */
export function readCsv(bytes: Uint8Array, file: string, options: CsvOptions): CsvTable {
  const rows = splitRows(bytes, file);
  const first = rows[0];
  if (!first) throw badArrayFile(file, 'csv', 'it is empty');
  const named = first.cells.some((cell) => !number.test(cell)) && looksLikeNames(first.cells, rows[1]?.cells);
  const names = named ? first.cells.map((cell) => cell.toLowerCase()) : [];
  const samples = named ? rows.slice(1) : rows;
  if (samples.length === 0) throw badArrayFile(file, 'csv', 'it has column names but no rows');
  const byName = names.findIndex((name) => labelNames.has(name));
  const label = byName >= 0 ? byName : options.lastIsLabel ? first.cells.length - 1 : -1;
  const x = readColumns(samples, file, first.cells.length, label);
  return label < 0 ? { x } : { x, ...readLabels(samples, file, label) };
}

/** Names are words where the next row has numbers; a column of words below words is a label. */
function looksLikeNames(cells: readonly string[], next: readonly string[] | undefined): boolean {
  return cells.every((cell, i) => !number.test(cell) || next?.[i] === undefined || !number.test(next[i]));
}

function splitRows(bytes: Uint8Array, file: string): Row[] {
  const text = new TextDecoder().decode(bytes);
  if (text.includes('\0')) throw badArrayFile(file, 'csv', 'it holds binary data');
  const lines = text.replace(/^\ufeff/, '').split(/\r\n|\n|\r/);
  const separator = [',', ';', '\t'].find((candidate) => lines[0]?.includes(candidate)) ?? ',';
  return lines
    .map((line, i) => ({ line: i + 1, cells: line.split(separator).map(cleanCell) }))
    .filter((row) => row.cells.length > 1 || row.cells[0] !== '');
}

function cleanCell(cell: string): string {
  const text = cell.trim();
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1).trim() : text;
}

function readColumns(rows: readonly Row[], file: string, width: number, label: number): DataArray {
  const features = width - (label < 0 ? 0 : 1);
  if (features === 0) throw badArrayFile(file, 'csv', 'it holds labels but no values');
  const isValue = (_: string, column: number) => column !== label;
  const integers = rows.every(({ cells }) => cells.filter(isValue).every((cell) => whole.test(cell)));
  const data = new (integers ? Float64Array : Float32Array)(rows.length * features);
  let at = 0;
  for (const { line, cells } of rows) {
    if (cells.length !== width)
      throw badCell(
        file,
        line,
        Math.min(cells.length, width) + 1,
        `the row has ${cells.length} cells, the first has ${width}`,
      );
    for (const [column, cell] of cells.entries()) {
      if (column === label) continue;
      if (!number.test(cell))
        throw badCell(file, line, column + 1, `${JSON.stringify(cell.slice(0, 40))} is not a number`);
      data[at++] = Number(cell);
    }
  }
  return { name: 'x', dtype: integers ? 'int64' : 'float32', shape: [rows.length, features], data };
}

function readLabels(
  rows: readonly Row[],
  file: string,
  column: number,
): { y: DataArray; classes?: readonly string[] } {
  const cells = rows.map((row) => row.cells[column] ?? '');
  const empty = cells.indexOf('');
  if (empty >= 0) throw badCell(file, rows[empty]!.line, column + 1, 'the label is empty');
  const shape = [rows.length];
  if (cells.every((cell) => number.test(cell))) {
    return { y: { name: 'y', dtype: 'float64', shape, data: Float64Array.from(cells, Number) } };
  }
  const classes = [...new Set(cells)].sort();
  const numbers = new Map(classes.map((name, i) => [name, i]));
  return {
    y: { name: 'y', dtype: 'int32', shape, data: Int32Array.from(cells, (cell) => numbers.get(cell)!) },
    classes,
  };
}
