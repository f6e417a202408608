#!/usr/bin/env node
import { commandTable } from './command-table.ts';
import { unknownCommand } from './errors.ts';
import { rootHelp } from './help.ts';
import { type Lifetime, startLifetime } from './lifetime.ts';
import { type GlobalFlags, jsonText, makeOutput, writeLine } from './output.ts';
import { packageVersion } from './package-info.ts';
import { describeError } from './report/error-report.ts';
import { makeStyle, wantsColor } from './report/style.ts';

/** The global flags, read before anything can fail, so that a failure already obeys them. */
function globalFlagsOf(words: readonly string[]): GlobalFlags {
  const end = words.indexOf('--');
  const given = new Set(end < 0 ? words : words.slice(0, end));
  return {
    json: given.has('--json'),
    quiet: given.has('--quiet'),
    verbose: given.has('--verbose'),
    noColor: given.has('--no-color'),
  };
}

/** Splits `--json convert model.onnx` and `convert model.onnx --json` alike into command and the rest. */
function splitCommand(words: readonly string[]): { name: string | undefined; rest: readonly string[] } {
  const at = words.findIndex((word) => !word.startsWith('-'));
  if (at < 0) return { name: undefined, rest: words };
  return { name: words[at], rest: [...words.slice(0, at), ...words.slice(at + 1)] };
}

async function dispatch(words: readonly string[], flags: GlobalFlags, lifetime: Lifetime): Promise<number> {
  const { name, rest } = splitCommand(words);
  const wantsHelp = name === undefined || (name === 'help' && rest.length === 0);
  if (wantsHelp && (rest.includes('-V') || rest.includes('--version'))) {
    writeLine(process.stdout, packageVersion());
    return 0;
  }
  if (wantsHelp) {
    writeLine(process.stdout, rootHelp(packageVersion()));
    return 0;
  }
  const [called, args] = name === 'help' ? [rest[0]!, ['--help']] : [name!, rest];
  const row = commandTable.find((candidate) => candidate.name === called);
  if (row === undefined) {
    throw unknownCommand(
      called,
      commandTable.map((candidate) => candidate.name),
    );
  }
  const { runCommand } = await import('./run-command.ts');
  const output = makeOutput(flags);
  return runCommand(row, args, { output, lifetime });
}

/** The one place that prints errors. Returns the exit code. */
function report(error: unknown, flags: GlobalFlags, lifetime: Lifetime): number {
  const interrupted = lifetime.interruptedWith();
  if (interrupted !== undefined) return interrupted;
  const style = makeStyle(wantsColor(process.stderr, flags.noColor));
  const { exit, text, document } = describeError(error, style, flags.verbose);
  writeLine(process.stderr, text);
  if (flags.json) process.stdout.write(jsonText(document));
  return exit;
}

/** Ends the process once what was printed has been handed over. */
function exitAfterWriting(code: number): void {
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
}

async function main(words: readonly string[]): Promise<void> {
  const flags = globalFlagsOf(words);
  const lifetime = startLifetime();
  // A reader that went away (`tinyml ops | head`) is not a failure of the command.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  const fail = async (error: unknown) => {
    const code = report(error, flags, lifetime);
    await lifetime.end();
    exitAfterWriting(code);
  };
  process.on('uncaughtException', fail);
  try {
    const code = await dispatch(words, flags, lifetime);
    await lifetime.end();
    exitAfterWriting(lifetime.interruptedWith() ?? code);
  } catch (error) {
    await fail(error);
  }
}

await main(process.argv.slice(2));
