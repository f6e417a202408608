import type { CommandRow, CommandSpec, OptionSpec, OptionValues, PathRole } from '../../cli/command.ts';
import { commandTable } from '../../cli/command-table.ts';
import { runCommand } from '../../cli/run-command.ts';
import { quietContext } from './quiet-context.ts';

/** A command of the table and what it says of itself. */
export interface LoadedCommand {
  readonly row: CommandRow;
  readonly spec: CommandSpec;
}

export const allCommands: readonly LoadedCommand[] = await Promise.all(
  commandTable.map(async (row) => ({ row, spec: (await row.load()).command })),
);

export const takesValue = ({ flags }: OptionSpec) => flags.includes('<');
export const longFlag = ({ flags }: OptionSpec) => /--[\w-]+/.exec(flags)![0];

/** Values for options that a command cannot do without and that take no free text. */
const samples: Readonly<Record<string, string>> = { '--source': 'counter' };

/** A word for each option and argument of a command that must be there; `fileFor` names files by their role. */
export function neededWords(spec: CommandSpec, fileFor: (role: PathRole) => string): string[] {
  const required = spec.options.filter((option) => option.required);
  const options = required.flatMap((option) => {
    const role = typeof option.path === 'string' ? option.path : 'none';
    return [longFlag(option), samples[longFlag(option)] ?? fileFor(role)];
  });
  return [...positionalsOf(spec, fileFor), ...options];
}

/** Words for the arguments that a command cannot do without. */
export function positionalsOf(spec: CommandSpec, fileFor: (role: PathRole) => string): string[] {
  const needed = spec.usage.split(' ').filter((name) => name.startsWith('<'));
  return needed.map((_, i) => fileFor(spec.paths[i]!));
}

/** Runs a command up to the point where its own work would begin; resolves to the options it would have been given. */
export async function optionsGiven(
  { row, spec }: LoadedCommand,
  words: readonly string[],
): Promise<{ options: OptionValues; said: readonly string[] }> {
  let options: OptionValues | undefined;
  const run: CommandSpec['run'] = async (_, __, given) => {
    options = given;
    return 0;
  };
  const context = quietContext();
  await runCommand({ ...row, load: async () => ({ command: { ...spec, run } }) }, words, context);
  return { options: options!, said: context.said };
}
