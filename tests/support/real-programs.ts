import { spawnSync } from 'node:child_process';
import { findTool } from '../../cli/tools/find-tool.ts';

/** Programs of others that flash, and what they say of a command line that they do not understand. */
export const realPrograms = {
  openocd: {
    path: findTool('openocd'),
    complaint:
      /Can't find |invalid command name|wrong # args|unrecognized option|Unexpected command line argument/,
  },
  'st-info': { path: findTool('st-info'), complaint: /Incorrect argument|^st-info --version$/m },
  'st-flash': { path: findTool('st-flash'), complaint: /invalid command line|\*\*\* Error: / },
  'dfu-util': {
    path: findTool('dfu-util'),
    complaint: /^Usage: |unrecognized option|invalid option|Invalid /,
  },
} as const;

export type RealProgram = keyof typeof realPrograms;

/** All that a real program says of a command line; it has no device to go on with. */
export function sayOf(program: RealProgram, args: readonly string[], cwd?: string): string {
  const { path } = realPrograms[program];
  if (path === undefined) throw new Error(`${program} is not installed`);
  const { stdout, stderr } = spawnSync(path, args, {
    encoding: 'utf8',
    timeout: 60_000,
    ...(cwd ? { cwd } : {}),
  });
  return `${stdout}\n${stderr}`;
}

/** What it does not understand; empty when it only misses a device. */
export function complaintOf(program: RealProgram, args: readonly string[], cwd?: string): string {
  const said = sayOf(program, args, cwd);
  return realPrograms[program].complaint.test(said) ? said : '';
}
