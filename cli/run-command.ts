import { Command, CommanderError, Option } from 'commander';
import type { CommandRow, CommandSpec, OptionSpec, OptionValues } from './command.ts';
import type { Context } from './context.ts';
import { badUsage, missingOption, settingsIgnored, unknownOption } from './errors.ts';
import { resetGuard } from './files/guard.ts';
import { guardCommand } from './guard-command.ts';
import { globalFlags } from './help.ts';
import { loadSettings, parseOption, type Settings } from './settings.ts';
import { print } from './standard-streams.ts';

/** Parses `words` as the arguments of a command and runs it. Resolves to the exit code. */
export async function runCommand(
  row: CommandRow,
  words: readonly string[],
  context: Context,
): Promise<number> {
  const { command: spec } = await row.load();
  const command = commanderOf(row.name, spec);
  try {
    command.parse(words, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === 'commander.helpDisplayed') return 0;
    throw usageError(row.name, spec, error);
  }
  const { args } = command;
  if (args.includes('')) throw badUsage(row.name, 'an argument is empty');
  resetGuard();
  const options = optionsOf(row.name, spec, command, settingsFor(context, spec, args));
  guardCommand(spec, args, options);
  return spec.run(context, args, options);
}

/** Settings near what the command reads; tells what of them was not believed. */
function settingsFor(context: Context, spec: CommandSpec, args: readonly string[]): Settings {
  const subject = spec.paths.findIndex((role) => role === 'input' || role === 'grows');
  const settings = loadSettings(args[subject]);
  if (settings.ignored) context.output.warn(settingsIgnored(settings.ignored.path, settings.ignored.names));
  return settings;
}

function optionsOf(name: string, spec: CommandSpec, command: Command, settings: Settings): OptionValues {
  const options = Object.fromEntries(spec.options.map((option) => resolveOption(command, option, settings)));
  for (const option of spec.options) {
    const attribute = attributeOf(option);
    options[attribute] ??= option.fallbackFrom?.(command.args, options);
    if (option.required && options[attribute] === undefined) throw missingOption(name, option.flags);
  }
  return options;
}

function commanderOf(name: string, spec: CommandSpec): Command {
  const command = new Command(`tinyml ${name}`)
    .description(spec.description)
    .exitOverride()
    .configureOutput({ writeOut: (text) => print('stdout', text), writeErr: () => {}, outputError: () => {} })
    .configureHelp({ helpWidth: 100 })
    .helpOption('-h, --help', 'this text')
    .addHelpText('after', `\nexamples:\n${spec.examples.map((line) => `  ${line}`).join('\n')}`);
  if (spec.usage !== '') command.arguments(spec.usage);
  for (const option of spec.options) command.addOption(commanderOption(option));
  for (const [flags, help] of globalFlags) command.option(flags, help);
  return command;
}

function commanderOption(spec: OptionSpec): Option {
  const notes = [
    ...(spec.choices === undefined ? [] : [`one of ${spec.choices.join(', ')}`]),
    ...(spec.required ? ['needed'] : []),
    ...(spec.fallback === undefined ? [] : [`default ${String(spec.fallback)}`]),
  ];
  const option = new Option(spec.flags, notes.length > 0 ? `${spec.help} (${notes.join('; ')})` : spec.help);
  const name = option.long ?? spec.flags;
  if (!option.required && !option.optional) return option;
  return option.argParser((text: string, previous: unknown) => {
    const value = parseOption(spec, text, name);
    return spec.repeat === true ? [...((previous as unknown[] | undefined) ?? []), value] : value;
  });
}

const attributeOf = (spec: OptionSpec) => new Option(spec.flags).attributeName();

/** Precedence: flag, environment, configuration file, default. */
function resolveOption(command: Command, spec: OptionSpec, settings: Settings): [string, unknown] {
  const name = attributeOf(spec);
  const given = command.getOptionValue(name) as unknown;
  if (given !== undefined || spec.setting === undefined) return [name, given ?? spec.fallback];
  const setting = settings.get(spec.setting);
  if (setting === undefined) return [name, spec.fallback];
  const values = setting.text.map((text) => parseOption(spec, text, setting.source));
  return [name, spec.repeat === true ? values : values.at(-1)];
}

function usageError(name: string, spec: CommandSpec, error: CommanderError): Error {
  const what = error.message.replace(/^error: /, '').split('\n', 1)[0] ?? '';
  if (error.code !== 'commander.unknownOption') return badUsage(name, what);
  const flag = /'([^']*)'/.exec(what)?.[1] ?? what;
  const flags = [...spec.options.map((option) => option.flags), ...globalFlags.map(([text]) => text)];
  return unknownOption(
    name,
    flag,
    flags.map((text) => new Option(text).long ?? text),
  );
}
