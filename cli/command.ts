import type { Context } from './context.ts';
import type { NamedPlace } from './files/guard.ts';

/** How the text of an option becomes its value; throws a TinymlError. */
export type OptionParser = (text: string, name: string) => unknown;

/**
 * What a command does with the file that a value names: reads it, replaces it as a whole, writes a folder, or adds to it.
 * `none` is for values that name no file. Whatever is read is never written: the runner and the writers see to that.
 */
export type PathRole = 'input' | 'output' | 'folder' | 'grows' | 'none';

/** Values of the options of one call, by attribute. */
export type OptionValues = Readonly<Record<string, unknown>>;

export interface OptionSpec {
  /** Commander's notation: `--calib <data>`, `-o, --output <dir>`, `--profile`. */
  readonly flags: string;
  readonly help: string;
  readonly parse?: OptionParser;
  readonly choices?: readonly string[];
  /** The flag may be given more than once; the value is the list of all. */
  readonly repeat?: boolean;
  readonly fallback?: unknown;
  /** A default that depends on the arguments and the other options, the earlier ones of this kind included. */
  readonly fallbackFrom?: (args: readonly string[], options: OptionValues) => unknown;
  /** Needed for every value that is neither a choice nor parsed. */
  readonly path?: PathRole | ((options: OptionValues) => PathRole);
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
  /** What the positional arguments name, one by one. */
  readonly paths: readonly PathRole[];
  readonly description: string;
  readonly examples: readonly string[];
  readonly options: readonly OptionSpec[];
  /** Files that are written beside those that options name. */
  readonly alsoWrites?: (options: OptionValues) => readonly NamedPlace[];
  /** Resolves to the exit code; throws TinymlError. */
  readonly run: (context: Context, args: readonly string[], options: OptionValues) => Promise<number>;
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
