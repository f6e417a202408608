import { chooseBoard } from '../board/board-choice.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { checkBootLogFile, checkPort } from '../doctor/boot-check.ts';
import type { Check } from '../doctor/check.ts';
import { runChecks } from '../doctor/checks.ts';
import { installPackages } from '../doctor/install.ts';
import { installUdevRules, rulesPath, udevRules } from '../doctor/udev-rules.ts';
import { boardOption } from '../options.ts';
import type { Style } from '../report/style.ts';
import { renderTable } from '../report/table.ts';

interface DoctorOptions {
  readonly board: string;
  readonly port?: string;
  readonly bootLog?: string;
  readonly udevRules?: boolean;
  readonly fix?: boolean;
  readonly all?: boolean;
}

const isMissing = (check: Check) => check.needed && !check.ok;

function state(check: Check): string {
  if (check.ok) return 'ok';
  return check.needed ? 'MISSING' : 'optional';
}

/** What to type to mend the checks that are needed, or those that only some uses want. */
function fixLines(checks: readonly Check[], needed: boolean): string[] {
  const fixes = checks
    .filter((check) => check.fix !== '' && check.needed === needed)
    .map((check) => `  ${check.fix}`);
  if (fixes.length === 0) return [];
  return [needed ? 'to mend it:' : 'only for some boards or uses:', ...new Set(fixes)];
}

function render(checks: readonly Check[], style: Style): string {
  const rows = checks.map((check) => [check.name, state(check), check.found]);
  const table = renderTable([{ title: 'what' }, { title: 'state' }, { title: 'found' }], rows);
  const verdict = checks.some(isMissing)
    ? style.red('something that is needed is missing')
    : style.green('everything needed is here');
  return [table, '', verdict, ...fixLines(checks, true), ...fixLines(checks, false)].join('\n');
}

/** Installs what is missing; resolves to whether something was. */
async function mend(context: Context, checks: readonly Check[], options: DoctorOptions): Promise<boolean> {
  const all = options.all === true;
  const packages = checks
    .filter((check) => isMissing(check) || (all && !check.ok))
    .flatMap((check) => check.packages);
  const installed = await installPackages(packages, context);
  // Rules are for boards that are plugged in.
  const wantsRules = all || chooseBoard(options.board).usb.length > 0;
  return (wantsRules && (await installUdevRules(context))) || installed;
}

export const command = defineCommand<DoctorOptions>({
  usage: '',
  paths: [],
  description:
    'Checks this machine for the tools that a board needs and for all that can stand between you and its port, and ' +
    'says or does what mends it. Exit code 3 when something is missing that the board needs.',
  examples: [
    'tinyml doctor',
    'tinyml doctor --fix',
    'tinyml doctor --board nucleo-f446re',
    'tinyml doctor --port /dev/ttyUSB0',
  ],
  options: [
    boardOption,
    { flags: '-p, --port <port>', help: 'also restart the board there and read its boot log', path: 'none' },
    {
      flags: '--boot-log <file>',
      help: 'also explain the boot log of an ESP chip in this file',
      path: 'input',
    },
    {
      flags: '--fix',
      help: 'install what is missing (Debian, Ubuntu) and udev rules for a board on USB; elsewhere print the command that does',
    },
    { flags: '--all', help: 'with --fix: also what only some boards need' },
    { flags: '--udev-rules', help: `print the rules that belong into ${rulesPath}, and nothing else` },
  ],
  async run(context, _args, options) {
    if (options.udevRules === true) {
      context.output.result({ path: rulesPath, rules: udevRules() }, () => udevRules().trimEnd());
      return 0;
    }
    const board = chooseBoard(options.board);
    let checks = await runChecks(board, context.lifetime);
    if (options.fix === true && (await mend(context, checks, options))) {
      checks = await runChecks(board, context.lifetime);
    }
    const asked = [
      ...(options.port === undefined ? [] : await checkPort(context, options.port, undefined)),
      ...(options.bootLog === undefined ? [] : [checkBootLogFile(options.bootLog)]),
    ];
    checks = [...checks, ...asked];
    const ok = !checks.some(isMissing);
    context.output.result({ ok, board: board.id, checks }, () => render(checks, context.output.style));
    return ok ? 0 : 3;
  },
});
