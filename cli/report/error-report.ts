import { TinymlError } from '../../common/tinyml-error.ts';
import { visibleLine } from '../../common/visible-text.ts';
import type { Style } from './style.ts';

/** What a failed command leaves behind: an exit code, lines for a person, a document for a script. */
export interface ErrorReport {
  readonly exit: number;
  readonly text: string;
  readonly document: {
    readonly error: {
      readonly code: string;
      readonly message: string;
      readonly measure: readonly string[];
      readonly hint: string | null;
    };
  };
}

/** Nobody reads more of a line; a name from a file can be a megabyte. */
const lineLimit = 2000;

/** Messages hold names from untrusted files: each stays on its line. */
function line(text: string): string {
  return visibleLine(text.length > lineLimit ? `${text.slice(0, lineLimit)}...` : text);
}

function reportOf(
  exit: number,
  code: string,
  message: string,
  measure: readonly string[],
  hint: string | undefined,
  style: Style,
): ErrorReport {
  const lines = [`${style.red(`error ${code}:`)} ${line(message)}`];
  for (const measured of measure) lines.push(`  ${line(measured)}`);
  if (hint !== undefined) lines.push(`  ${style.bold('hint:')} ${line(hint)}`);
  return {
    exit,
    text: lines.join('\n'),
    document: { error: { code, message, measure, hint: hint ?? null } },
  };
}

/** Any thrown value as a report; what is not a TinymlError is a bug of ours (exit 70). */
export function describeError(error: unknown, style: Style, verbose: boolean): ErrorReport {
  if (error instanceof TinymlError) {
    const report = reportOf(error.exit, error.code, error.message, error.measure, error.hint, style);
    return verbose && error.cause instanceof Error ? withStack(report, error.cause) : report;
  }
  const message = error instanceof Error ? error.message : String(error);
  const report = reportOf(
    70,
    'E_INTERNAL',
    `this is a bug of tinyml: ${message.split('\n', 1)[0]}`,
    [],
    'please report it, with the command and the output of the same command with --verbose',
    style,
  );
  return verbose && error instanceof Error ? withStack(report, error) : report;
}

function withStack(report: ErrorReport, error: Error): ErrorReport {
  return { ...report, text: `${report.text}\n${error.stack ?? ''}` };
}
