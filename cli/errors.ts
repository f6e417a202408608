import { nearest } from '../common/nearest.ts';
import { systemReason } from '../common/system-reason.ts';
import { TinymlError } from '../common/tinyml-error.ts';

/** "hint" line for a wrong choice: the nearest match, or nothing. */
function didYouMean(name: string, choices: readonly string[]): string | undefined {
  const match = nearest(name, choices);
  return match === undefined ? undefined : `did you mean ${match}?`;
}

const quoted = (text: string) => JSON.stringify(text);

export function unknownCommand(name: string, commands: readonly string[]): TinymlError {
  return new TinymlError({
    code: 'E_UNKNOWN_COMMAND',
    exit: 1,
    what: `there is no command ${quoted(name.slice(0, 80))}`,
    measure: `commands: ${commands.join(', ')}`,
    hint: didYouMean(name, commands) ?? 'tinyml --help describes them',
  });
}

/** Anything else that is wrong with the words of a command line; `what` is commander's, cleaned. */
export function badUsage(command: string, what: string, hint?: string): TinymlError {
  return new TinymlError({
    code: 'E_USAGE',
    exit: 1,
    what: `${command}: ${what}`,
    hint: hint ?? `tinyml ${command} --help shows how it is used`,
  });
}

export function unknownOption(command: string, flag: string, flags: readonly string[]): TinymlError {
  return new TinymlError({
    code: 'E_UNKNOWN_OPTION',
    exit: 1,
    what: `${command}: there is no option ${flag.slice(0, 80)}`,
    measure: `options: ${flags.join(' ')}`,
    hint: didYouMean(flag, flags) ?? `tinyml ${command} --help describes them`,
  });
}

/** A required option that neither the command line nor a setting gives. */
export function missingOption(command: string, flags: string): TinymlError {
  return new TinymlError({
    code: 'E_USAGE',
    exit: 1,
    what: `${command}: ${flags} is missing`,
    hint: `tinyml ${command} --help shows how it is used`,
  });
}

/** A value that must be one of a few. */
export function wrongChoice(what: string, value: string, choices: readonly string[]): TinymlError {
  return new TinymlError({
    code: 'E_WRONG_CHOICE',
    exit: 1,
    what: `${what} is ${quoted(value.slice(0, 80))}, which is not one of the choices`,
    measure: `choices: ${choices.join(', ')}`,
    ...hintOf(didYouMean(value, choices)),
  });
}

function hintOf(hint: string | undefined): { hint?: string } {
  return hint === undefined ? {} : { hint };
}

export function badValue(what: string, value: string, expected: string): TinymlError {
  return new TinymlError({
    code: 'E_BAD_VALUE',
    exit: 1,
    what: `${what} is ${quoted(value.slice(0, 80))}`,
    measure: `expected: ${expected}`,
  });
}

export function badConfig(path: string, what: string, hint?: string): TinymlError {
  return new TinymlError({ code: 'E_CONFIG', exit: 1, what: `${path}: ${what}`, ...hintOf(hint) });
}

export function unknownConfigKey(path: string, key: string, keys: readonly string[]): TinymlError {
  return new TinymlError({
    code: 'E_CONFIG',
    exit: 1,
    what: `${path}: there is no setting ${quoted(key.slice(0, 80))}`,
    measure: `settings: ${keys.join(', ')}`,
    ...hintOf(didYouMean(key, keys)),
  });
}

/** A warning: a configuration file beside a model says what only the user may. */
export function settingsIgnored(path: string, names: readonly string[]): string {
  return `${path} lies beside the model and may not set ${names.join(', ')}; flags, TINYML_* and your own configuration file may`;
}

/** `what` is what would have been done. */
export function notConfirmed(what: string, why: string): TinymlError {
  return new TinymlError({
    code: 'E_NOT_CONFIRMED',
    exit: 1,
    what: `did not ${what}: ${why}`,
    measure: 'nothing was changed',
    hint: '--yes answers beforehand',
  });
}

const streamNames = { stdout: 'standard output', stderr: 'standard error' } as const;

export function streamFailed(stream: keyof typeof streamNames, cause: unknown): TinymlError {
  return new TinymlError({
    code: 'E_OUTPUT',
    exit: 1,
    what: `${streamNames[stream]} cannot be written (${systemReason(cause)})`,
    hint: 'what was printed is not complete; check where it goes and the free space there',
    cause,
  });
}

export function badBoardsAction(action: string): TinymlError {
  const actions = ['list', 'show', 'run'];
  return wrongChoice('the action of boards', action, actions);
}
