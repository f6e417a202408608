import type { CommandSpec } from './command.ts';

export interface CommandRow {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: CommandSpec }>;
}

/** Every command: one row, its module loaded only when it is called. */
export const commandTable: readonly CommandRow[] = [
  {
    name: 'convert',
    summary: 'quantize a model and write TFLite, C and a report',
    load: () => import('./commands/convert.ts'),
  },
  {
    name: 'run',
    summary: 'run a model on one input',
    load: () => import('./commands/run.ts'),
  },
  {
    name: 'eval',
    summary: 'measure accuracy on a data set',
    load: () => import('./commands/eval.ts'),
  },
  {
    name: 'build',
    summary: 'compile a converted model to firmware',
    load: () => import('./commands/build.ts'),
  },
  {
    name: 'ports',
    summary: 'list serial ports and the boards behind them',
    load: () => import('./commands/ports.ts'),
  },
  {
    name: 'ops',
    summary: 'list the operators that can be converted',
    load: () => import('./commands/ops.ts'),
  },
  {
    name: 'doctor',
    summary: 'check this machine for the tools that are needed, and install them',
    load: () => import('./commands/doctor.ts'),
  },
  {
    name: 'completion',
    summary: 'print a completion script for a shell',
    load: () => import('./commands/completion.ts'),
  },
];
