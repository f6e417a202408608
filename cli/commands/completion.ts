import { type CommandRow, type CommandSpec, defineCommand } from '../command.ts';
import { completionScript, type Shell, shells } from '../completion-scripts.ts';
import { wrongChoice } from '../errors.ts';

/** The command that completes those of `rows`, which the table of commands hands over: it has this one among them. */
export function completionCommand(rows: readonly CommandRow[]): CommandSpec {
  return defineCommand({
    usage: '<shell>',
    paths: ['none'],
    description: `Prints a completion script for a shell: ${shells.join(', ')}.`,
    examples: [
      'source <(tinyml completion bash)',
      'tinyml completion fish > ~/.config/fish/completions/tinyml.fish',
    ],
    options: [],
    async run(context, [name = '']) {
      const shell = shells.find((candidate): candidate is Shell => candidate === name);
      if (shell === undefined) throw wrongChoice('shell', name, shells);
      const script = await completionScript(shell, rows);
      context.output.result({ shell, script }, () => script);
      return 0;
    },
  });
}
