#!/usr/bin/env node
import { commandTable } from './command-table.ts';
import { unknownCommand } from './errors.ts';
import { rootHelp } from './help.ts';
import { type Lifetime, startLifetime } from './lifetime.ts';
import { type GlobalFlags, jsonText, makeOutput } from './output.ts';
import { packageVersion } from './package-info.ts';
import { describeError } from './report/error-report.ts';
import { makeStyle, wantsColor } from './report/style.ts';
import { flushStreams, print, printLine, streamFailure, watchStreams } from './standard-streams.ts';

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
    printLine('stdout', packageVersion());
    return 0;
  }
  if (wantsHelp) {
    printLine('stdout', rootHelp(packageVersion()));
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

/** Where stdout itself is what failed, nothing more comes of it. */
function printIfPossible(text: string): void {
  try {
    print('stdout', text);
  } catch {
    // Told at the end, if it is not what is being told.
  }
}

/** The one place that prints errors. Returns the exit code. */
function report(error: unknown, flags: GlobalFlags, lifetime: Lifetime): number {
  const interrupted = lifetime.interruptedWith();
  if (interrupted !== undefined) return interrupted;
  const style = makeStyle(wantsColor(process.stderr, flags.noColor));
  const { exit, text, document } = describeError(error, style, flags.verbose);
  printLine('stderr', text);
  if (flags.json) printIfPossible(jsonText(document));
  return exit;
}

/**
 * Ends the process once what was printed has been handed over. What could not be printed is a failure of its own, unless
 * it is the one that is told already.
 */
async function exitAfterWriting(code: number, told: unknown, flags: GlobalFlags): Promise<void> {
  await flushStreams();
  const failure = streamFailure();
  if (failure !== undefined && failure !== told) {
    printLine('stderr', describeError(failure, makeStyle(false), flags.verbose).text);
    await flushStreams();
  }
  process.exit(failure !== undefined && code === 0 ? failure.exit : code);
}

async function main(words: readonly string[]): Promise<void> {
  const flags = globalFlagsOf(words);
  const lifetime = startLifetime();
  watchStreams();
  const fail = async (error: unknown) => {
    const code = report(error, flags, lifetime);
    await lifetime.end();
    await exitAfterWriting(code, error, flags);
  };
  process.on('uncaughtException', fail);
  try {
    const code = await dispatch(words, flags, lifetime);
    await lifetime.end();
    await exitAfterWriting(lifetime.interruptedWith() ?? code, undefined, flags);
  } catch (error) {
    await fail(error);
  }
}

await main(process.argv.slice(2));
