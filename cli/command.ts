import type { Context } from './context.ts';

/** How the text of an option becomes its value; throws a TinymlError. */
export type OptionParser = (text: string, name: string) => unknown;

export interface OptionSpec {
  /** Commander's notation: `--calib <data>`, `-o, --output <dir>`, `--profile`. */
  readonly flags: string;
  readonly help: string;
  readonly parse?: OptionParser;
  readonly choices?: readonly string[];
  /** The flag may be given more than once; the value is the list of all. */
  readonly repeat?: boolean;
  readonly fallback?: unknown;
  /** The command cannot do without it. */
  readonly required?: boolean;
  /**
   * Name under which environment (`TINYML_` and upper case) and configuration file may set it;
   * absent for what only a command line should say, such as where to write.
   */
  readonly setting?: string;
}

/** One command: what `--help` says of it, its options, and what it does. */
export interface CommandSpec {
  /** Positional arguments in commander's notation, `<model>` or `[action] [id]`; empty for none. */
  readonly usage: string;
  readonly description: string;
  readonly examples: readonly string[];
  readonly options: readonly OptionSpec[];
  /** Resolves to the exit code; throws TinymlError. */
  readonly run: (
    context: Context,
    args: readonly string[],
    options: Readonly<Record<string, unknown>>,
  ) => Promise<number>;
}

/** A command in the list of all; its module is loaded only when it is called. */
export interface CommandRow {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: CommandSpec }>;
}

/** Ties a command's options to the type its `run` expects; the option table is what makes it true. */
export function defineCommand<Options extends object>(
  spec: Omit<CommandSpec, 'run'> & {
    run: (context: Context, args: readonly string[], options: Options) => Promise<number>;
  },
): CommandSpec {
  return { ...spec, run: (context, args, options) => spec.run(context, args, options as Options) };
}
