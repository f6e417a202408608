import { badUsage } from '../errors.ts';
import { chooseBoard } from './board-choice.ts';
import { findPort } from './board-link.ts';

/** The port that a command is told, or the one where the board that it is told shows itself on USB. */
export async function requirePort(
  command: string,
  port: string | undefined,
  board: string | undefined,
): Promise<string> {
  if (port !== undefined) return port;
  if (board === undefined) throw badUsage(command, 'which port? none is given', 'tinyml ports lists them');
  return findPort(chooseBoard(board));
}
