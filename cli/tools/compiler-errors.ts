import { TinymlError } from '../../common/tinyml-error.ts';
import { toolFailed } from '../errors.ts';
import { formatCount } from '../report/format.ts';
import { lastLines } from './run-tool.ts';

/** GNU ld: "region `FLASH' overflowed by 1234 bytes", one line for each memory. */
const overflow = /region [`'"]?([A-Za-z0-9_]+)['"]? overflowed by (\d+) bytes?/g;

export interface MemoryOverflow {
  readonly memory: string;
  readonly bytes: number;
}

export function parseOverflows(text: string): MemoryOverflow[] {
  return [...text.matchAll(overflow)].map((match) => ({ memory: match[1]!, bytes: Number(match[2]) }));
}

export function firmwareTooBig(board: string, overflows: readonly MemoryOverflow[]): TinymlError {
  return new TinymlError({
    code: 'E_FIRMWARE_TOO_BIG',
    exit: 3,
    what: `the firmware does not fit ${board}`,
    measure: overflows.map(({ memory, bytes }) => `${memory}: ${formatCount(bytes)} bytes over`),
    hint: 'take --optimize size, a smaller model, or a larger board (tinyml boards)',
  });
}

/** What a failed compiler or linker run means: memory overflow, or the first errors it names. */
export function compilerFailure(tool: string, code: number, stderr: string, board: string): TinymlError {
  const overflows = parseOverflows(stderr);
  if (overflows.length > 0) return firmwareTooBig(board, overflows);
  const errors = stderr.split('\n').filter((line) => /\berror\b|undefined reference/i.test(line));
  return toolFailed(
    tool,
    `exit code ${code}`,
    lastLines(errors.length > 0 ? errors.slice(0, 6).join('\n') : stderr),
  );
}
