/** Text attributes for a terminal; every function returns its text unchanged when colour is off. */
export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
}

const wrap = (on: number, off: number) => (text: string) => `\u001b[${on}m${text}\u001b[${off}m`;
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

/** Colour only on a terminal, and never against `--no-color` or the NO_COLOR convention (no-color.org). */
export function wantsColor(stream: { readonly isTTY?: boolean }, noColorFlag: boolean): boolean {
  if (noColorFlag || (process.env['NO_COLOR'] ?? '') !== '' || process.env['TERM'] === 'dumb') return false;
  return stream.isTTY === true;
}
