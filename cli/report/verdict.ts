import type { Mismatch, VerifyReport } from '../measure/verify-board.ts';
import type { Style } from './style.ts';

/** The first place where a board differs, in words. */
function mismatchText({ vector, layer, output, byte }: Mismatch): string {
  const place =
    layer === null ? `byte ${byte} of output ${JSON.stringify(output)}` : `layer ${JSON.stringify(layer)}`;
  return `${place} with input ${vector}`;
}

/** One line that says whether a board computes what this machine does. */
export function renderVerdict(report: VerifyReport, style: Style): string {
  const { board, vectors, layersChecked, firstMismatch } = report;
  if (firstMismatch)
    return style.red(`NOT bit-exact: ${board} differs first in ${mismatchText(firstMismatch)}`);
  return style.green(
    `bit-exact: ${vectors} inputs${layersChecked > 0 ? ` and ${layersChecked} layers` : ''} are equal on ${board} and on this machine`,
  );
}
