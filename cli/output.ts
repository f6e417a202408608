import { writeSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { visibleJson, visibleLine } from '../common/visible-text.ts';
import { makeStyle, type Style, wantsColor } from './report/style.ts';
import { print, printLine } from './standard-streams.ts';

/** The flags that every command has. */
export interface GlobalFlags {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly noColor: boolean;
}

/** Shows how far a step is, on a terminal only. */
export type Progress = (text: string) => void;

/** Everything a command says. Results go to stdout, all else to stderr. */
export interface Output {
  readonly flags: GlobalFlags;
  /** For text on stdout. */
  readonly style: Style;
  /** The command's result: with `--json` the document, otherwise the text. Once per command. */
  result(document: unknown, text: () => string): void;
  /** A remark that helps; hidden by `--quiet`. */
  note(text: string): void;
  warn(text: string): void;
  /** Only with `--verbose`. */
  detail(text: string): void;
  /** One step of a longer command. A live line on a terminal, one plain line at its end elsewhere. */
  step<T>(title: string, run: (progress: Progress) => Promise<T>): Promise<T>;
}

/** JSON of a result; numbers JSON cannot hold (NaN, infinity) become null as in JSON.stringify. */
export function jsonText(document: unknown): string {
  return `${visibleJson(JSON.stringify(document, undefined, 2))}\n`;
}

/** The same on one line, for records that come one by one. */
export function jsonLine(document: unknown): string {
  return `${visibleJson(JSON.stringify(document))}\n`;
}

export function makeOutput(flags: GlobalFlags): Output {
  const style = makeStyle(wantsColor(process.stdout, flags.noColor));
  const dim = makeStyle(wantsColor(process.stderr, flags.noColor)).dim;
  const yellow = makeStyle(wantsColor(process.stderr, flags.noColor)).yellow;
  const say = (text: string) => printLine('stderr', text);
  return {
    flags,
    style,
    result(document, text) {
      print('stdout', flags.json ? jsonText(document) : `${text()}\n`);
    },
    note(text) {
      if (!flags.quiet) say(`note: ${visibleLine(text)}`);
    },
    warn(text) {
      if (!flags.quiet) say(`${yellow('warning:')} ${visibleLine(text)}`);
    },
    detail(text) {
      if (flags.verbose) say(dim(visibleLine(text)));
    },
    step: (title, run) => {
      if (flags.quiet || (flags.json && !flags.verbose)) return run(() => {});
      return isLive(process.stderr) ? liveStep(title, run) : plainStep(title, run, say);
    },
  };
}

async function plainStep<T>(
  title: string,
  run: (progress: Progress) => Promise<T>,
  say: (text: string) => void,
): Promise<T> {
  const start = performance.now();
  const value = await run(() => {});
  say(`${title}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
  return value;
}

/** A terminal of no width (some pseudo terminals) cannot show a live line. */
function isLive(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY && stream.columns > 20;
}

let restoresCursor = false;

/** The live line hides the cursor; it comes back however the process ends. */
function restoreCursorAtExit(): void {
  if (restoresCursor) return;
  restoresCursor = true;
  process.once('exit', () => {
    try {
      writeSync(process.stderr.fd, '\u001b[?25h');
    } catch {
      // The terminal is gone, and its cursor with it.
    }
  });
}

async function liveStep<T>(title: string, run: (progress: Progress) => Promise<T>): Promise<T> {
  restoreCursorAtExit();
  const { Listr, ListrLogger, ProcessOutput } = await import('listr2');
  let value: T | undefined;
  const logger = new ListrLogger({ processOutput: new ProcessOutput(process.stderr, process.stderr) });
  const list = new Listr(
    [
      {
        title: visibleLine(title),
        task: async (_, task) => {
          value = await run((text) => {
            task.title = visibleLine(`${title}: ${text}`);
          });
          task.title = visibleLine(title);
        },
      },
    ],
    { registerSignalListeners: false, rendererOptions: { logger, showErrorMessage: false } },
  );
  await list.run();
  return value as T;
}
