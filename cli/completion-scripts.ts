import { commandTable } from './command-table.ts';

export const shells = ['bash', 'zsh', 'fish', 'powershell'] as const;
export type Shell = (typeof shells)[number];

const globals = '--json --quiet --verbose --no-color --help';

/** Options of every command, read from the commands themselves. */
async function optionsByCommand(): Promise<(readonly [string, string])[]> {
  const rows = commandTable.map(async (row) => {
    const { command } = await row.load();
    const long = command.options.map((option) => /--[a-z0-9-]+/.exec(option.flags)?.[0] ?? '');
    return [row.name, [...long, globals].join(' ')] as const;
  });
  return Promise.all(rows);
}

const names = commandTable.map((row) => row.name).join(' ');

function bash(options: readonly (readonly [string, string])[]): string {
  const cases = options.map(([name, words]) => `    ${name}) words="${words}" ;;`);
  return `_tinyml() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=( $(compgen -W "${names} ${globals}" -- "$current") )
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

function fish(options: readonly (readonly [string, string])[]): string {
  const commands = commandTable.map(
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

function powershell(options: readonly (readonly [string, string])[]): string {
  const cases = options.map(([name, words]) => `    '${name}' { $words = '${words}' -split ' ' }`);
  return `Register-ArgumentCompleter -Native -CommandName tinyml -ScriptBlock {
  param($current, $line, $position)
  $before = $line.CommandElements
  $words = '${names}' -split ' '
  if ($before.Count -gt 1 -and $before[1].ToString() -ne $current) {
    switch ($before[1].ToString()) {
${cases.join('\n')}
    }
  }
  $words | Where-Object { $_ -like "$current*" }
}`;
}

/** A script that a shell sources to complete commands and options. */
export async function completionScript(shell: Shell): Promise<string> {
  const options = await optionsByCommand();
  switch (shell) {
    case 'bash':
      return bash(options);
    case 'zsh':
      return `#compdef tinyml\nautoload -U +X bashcompinit && bashcompinit\n${bash(options)}`;
    case 'fish':
      return fish(options);
    case 'powershell':
      return powershell(options);
  }
}
