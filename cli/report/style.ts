import { visibleText } from '../../common/visible-text.ts';

/** Text attributes for a terminal; every function returns its text unchanged when colour is off. */
export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
}

/**
 * Attributes are marks until the text is printed, so that one filter can stand before the terminal and still tell our
 * codes from those in somebody's names: no file can hold the number of this run.
 */
const run = Math.random().toString(36).slice(2) + Math.random().toString(36).slice(2);
const mark = (code: number) => `<${run}:${code}>`;
const marks = new RegExp(`<${run}:(\\d+)>`);

const wrap = (on: number, off: number) => (text: string) => mark(on) + text + mark(off);
const same = (text: string) => text;

export function makeStyle(color: boolean): Style {
  if (!color) return { bold: same, dim: same, red: same, green: same, yellow: same };
  return {
    bold: wrap(1, 22),
    dim: wrap(2, 22),
    red: wrap(31, 39),
    green: wrap(32, 39),
    yellow: wrap(33, 39),
  };
}

/** Text as a terminal gets it: our marks as its codes, everything else visible. */
export function terminalText(text: string): string {
  // Splitting by a pattern with a group gives text and code in turn.
  const parts = text.split(marks);
  return parts.map((part, i) => (i % 2 === 0 ? visibleText(part) : `\u001b[${part}m`)).join('');
}

/** Colour only on a terminal, and never against `--no-color` or the NO_COLOR convention (no-color.org). */
export function wantsColor(stream: { readonly isTTY?: boolean }, noColorFlag: boolean): boolean {
  if (noColorFlag || (process.env['NO_COLOR'] ?? '') !== '' || process.env['TERM'] === 'dumb') return false;
  return stream.isTTY === true;
}
