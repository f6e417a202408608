import { Option } from 'commander';
import type { CommandSpec, OptionValues, PathRole } from './command.ts';
import { claimFolder } from './files/claim-folder.ts';
import { refuseUnwritable } from './files/durable.ts';
import { finalPath } from './files/final-path.ts';
import { declareInput, declareOutput, type NamedPlace } from './files/guard.ts';
import { claimFile } from './files/output-file.ts';
import { ownFilesOf } from './files/owned-folder.ts';
import { recoverFolder, recoverPath } from './files/recover-folder.ts';

interface Place extends NamedPlace {
  readonly role: PathRole;
}

const namesIn = (usage: string) => usage.match(/[\w-]+/g) ?? [];

/** All files that the words of a command line name, and what the command does with them. */
function placesOf(spec: CommandSpec, args: readonly string[], options: OptionValues): Place[] {
  const positional = namesIn(spec.usage).flatMap((by, i) => {
    const path = args[i];
    return path === undefined ? [] : [{ path, by, role: spec.paths[i] ?? 'none' }];
  });
  const named = spec.options.flatMap(({ flags, path: given = 'none' }) => {
    const role = typeof given === 'function' ? given(options) : given;
    const value = options[new Option(flags).attributeName()];
    const paths = (Array.isArray(value) ? value : [value]).filter((one) => typeof one === 'string');
    return paths.map((path) => ({ path, by: flags.replace(/ *<.*/, ''), role }));
  });
  const beside = spec.alsoWrites?.(options) ?? [];
  return [...positional, ...named, ...beside.map((place) => ({ ...place, role: 'output' as const }))];
}

function claimOneFile(place: NamedPlace): void {
  const final = finalPath(place.path);
  declareOutput({ ...place, replaces: new Set() });
  claimFile(place.path, final);
  refuseUnwritable(place.path, final);
}

function claimOneFolder(place: NamedPlace, force: boolean): void {
  const final = finalPath(place.path);
  recoverFolder(final);
  declareOutput({ ...place, replaces: ownFilesOf(final) ?? new Set() });
  claimFolder(place.path, final, force);
  refuseUnwritable(place.path, final);
}

/**
 * Before a command does anything: mends what killed runs left of its folders, and refuses outputs that are inputs, that
 * meet each other, that cannot be written, or that are folders of somebody else's. The writers look again.
 */
export function guardCommand(spec: CommandSpec, args: readonly string[], options: OptionValues): void {
  const places = placesOf(spec, args, options);
  const having = (...roles: readonly PathRole[]) => places.filter(({ role }) => roles.includes(role));
  for (const { path } of having('input', 'grows')) recoverPath(path);
  for (const place of having('input')) declareInput(place);
  for (const place of having('output', 'grows')) claimOneFile(place);
  // Last, since what stands in them may be one of those files.
  for (const place of having('folder')) claimOneFolder(place, options['force'] === true);
}
