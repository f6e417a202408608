import type { CommandRow } from './command.ts';

export const shells = ['bash', 'zsh', 'fish', 'powershell'] as const;
export type Shell = (typeof shells)[number];

const globals = '--json --quiet --verbose --no-color --help';

/** The name of a command, and its options as one line of words. */
type CommandOptions = readonly [string, string];

/** Options of every command, read from the commands themselves. */
async function optionsByCommand(rows: readonly CommandRow[]): Promise<CommandOptions[]> {
  const words = rows.map(async (row) => {
    const { command } = await row.load();
    const long = command.options.map((option) => /--[a-z0-9-]+/.exec(option.flags)?.[0] ?? '');
    return [row.name, [...long, globals].join(' ')] as const;
  });
  return Promise.all(words);
}

const namesOf = (options: readonly CommandOptions[]) => options.map(([name]) => name).join(' ');

function bash(options: readonly CommandOptions[]): string {
  const cases = options.map(([name, words]) => `    ${name}) words="${words}" ;;`);
  return `_tinyml() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=( $(compgen -W "${namesOf(options)} ${globals}" -- "$current") )
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
  if [[ "$current" == -* ]]; then
    COMPREPLY=( $(compgen -W "$words" -- "$current") )
  else
    COMPREPLY=( $(compgen -f -- "$current") )
  fi
}
complete -o filenames -F _tinyml tinyml`;
}

function fish(rows: readonly CommandRow[], options: readonly CommandOptions[]): string {
  const commands = rows.map(
    (row) => `complete -c tinyml -n __fish_use_subcommand -f -a ${row.name} -d '${row.summary}'`,
  );
  const flags = options.flatMap(([name, words]) =>
    words
      .split(' ')
      .filter((word) => word.startsWith('--'))
      .map((word) => `complete -c tinyml -n '__fish_seen_subcommand_from ${name}' -l ${word.slice(2)}`),
  );
  return [...commands, ...flags].join('\n');
}

function powershell(options: readonly CommandOptions[]): string {
  const cases = options.map(([name, words]) => `    '${name}' { $words = '${words}' -split ' ' }`);
  return `Register-ArgumentCompleter -Native -CommandName tinyml -ScriptBlock {
  param($current, $line, $position)
  $before = $line.CommandElements
  $words = '${namesOf(options)}' -split ' '
  if ($before.Count -gt 1 -and $before[1].ToString() -ne $current) {
    switch ($before[1].ToString()) {
${cases.join('\n')}
    }
  }
  $words | Where-Object { $_ -like "$current*" }
}`;
}

/** A script that a shell sources to complete the commands of `rows` and their options. */
export async function completionScript(shell: Shell, rows: readonly CommandRow[]): Promise<string> {
  const options = await optionsByCommand(rows);
  switch (shell) {
    case 'bash':
      return bash(options);
    case 'zsh':
      return `#compdef tinyml\nautoload -U +X bashcompinit && bashcompinit\n${bash(options)}`;
    case 'fish':
      return fish(rows, options);
    case 'powershell':
      return powershell(options);
  }
}
