import { createInterface } from 'node:readline/promises';
import { visibleLine } from '../common/visible-text.ts';
import type { Context } from './context.ts';
import { notConfirmed } from './errors.ts';

/**
 * Lets a person confirm what cannot be undone. `yes` is the answer given beforehand; without it and without a terminal
 * to ask on, E_NOT_CONFIRMED, and the same for any other answer than yes.
 */
export async function confirm(context: Context, yes: boolean, what: string): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw notConfirmed(what, 'there is no terminal to ask on');
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await lines.question(`${visibleLine(what)}? Type yes to go on: `, {
      signal: context.lifetime.signal,
    });
    if (answer.trim().toLowerCase() !== 'yes') throw notConfirmed(what, 'the answer was not yes');
  } finally {
    lines.close();
  }
}
