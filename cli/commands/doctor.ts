import { defineCommand } from '../command.ts';
import { type Check, runChecks } from '../doctor/checks.ts';
import { installPackages } from '../doctor/install.ts';
import type { Style } from '../report/style.ts';
import { renderTable } from '../report/table.ts';

interface DoctorOptions {
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

export const command = defineCommand<DoctorOptions>({
  usage: '',
  description: 'Checks this machine for the tools that tinyml uses, and says or does what mends it.',
  examples: ['tinyml doctor', 'tinyml doctor --fix', 'tinyml doctor --fix --all'],
  options: [
    { flags: '--all', help: 'with --fix: also what only some boards need' },
    {
      flags: '--fix',
      help: 'install what is missing (Debian, Ubuntu); elsewhere print the command that does',
    },
  ],
  async run(context, _args, options) {
    let checks = await runChecks(context.lifetime);
    const packages = checks
      .filter((check) => isMissing(check) || (options.all === true && !check.ok))
      .flatMap((check) => check.packages);
    if (options.fix === true && (await installPackages(packages, context))) {
      checks = await runChecks(context.lifetime);
    }
    const ok = !checks.some(isMissing);
    context.output.result({ ok, checks }, () => render(checks, context.output.style));
    return ok ? 0 : 3;
  },
});
