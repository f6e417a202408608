import { defineCommand } from '../command.ts';
import { type Check, runChecks } from '../doctor/checks.ts';
import { installPackages } from '../doctor/install.ts';
import type { Style } from '../report/style.ts';
import { renderTable } from '../report/table.ts';

interface DoctorOptions {
  readonly fix?: boolean;
}

const isMissing = (check: Check) => check.needed && !check.ok;

function state(check: Check): string {
  if (check.ok) return 'ok';
  return check.needed ? 'MISSING' : 'warning';
}

function render(checks: readonly Check[], style: Style): string {
  const rows = checks.map((check) => [check.name, state(check), check.found]);
  const table = renderTable([{ title: 'what' }, { title: 'state' }, { title: 'found' }], rows);
  const fixes = checks.filter((check) => check.fix !== '').map((check) => `  ${check.fix}`);
  if (fixes.length === 0) return `${table}\n\n${style.green('everything needed is here')}`;
  return `${table}\n\n${style.bold('to mend it:')}\n${[...new Set(fixes)].join('\n')}`;
}

export const command = defineCommand<DoctorOptions>({
  usage: '',
  description: 'Checks this machine for the tools that tinyml uses, and says or does what mends it.',
  examples: ['tinyml doctor', 'tinyml doctor --fix'],
  options: [
    {
      flags: '--fix',
      help: 'install what is missing (Debian, Ubuntu); elsewhere print the command that does',
    },
  ],
  async run(context, _args, options) {
    let checks = await runChecks(context.lifetime);
    const packages = checks.filter(isMissing).flatMap((check) => check.packages);
    if (options.fix === true && (await installPackages(packages, context))) {
      checks = await runChecks(context.lifetime);
    }
    const ok = !checks.some(isMissing);
    context.output.result({ ok, checks }, () => render(checks, context.output.style));
    return ok ? 0 : 3;
  },
});
