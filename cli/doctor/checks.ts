import type { Board } from '../../boards/load.ts';
import type { Lifetime } from '../lifetime.ts';
import { type Check, fine } from './check.ts';
import { checkPorts } from './port-checks.ts';
import { checkTools } from './tool-checks.ts';
import { checkUdevRules } from './udev-rules.ts';

function checkNode(): Check {
  const found = `v${process.versions.node}`;
  if (Number(process.versions.node.split('.')[0]) >= 20) return { ...fine('Node.js', found), needed: true };
  const fix = 'install Node.js 20 or later from https://nodejs.org';
  return { name: 'Node.js', needed: true, ok: false, found, packages: [], fix };
}

/** Everything between this machine and a board; `needed` is what this board cannot do without. */
export async function runChecks(board: Board, lifetime: Lifetime): Promise<Check[]> {
  const tools = await checkTools(board, lifetime);
  return [checkNode(), ...tools, ...(await checkPorts(board)), checkUdevRules()];
}
