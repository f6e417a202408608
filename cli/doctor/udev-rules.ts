import { join } from 'node:path';
import { listBoards } from '../../boards/load.ts';
import { systemTree } from '../../device/host/read-system.ts';
import { systemRoot } from '../board/usb-boards.ts';
import type { Context } from '../context.ts';
import { writeFileAtomically } from '../files/output-file.ts';
import { findTool } from '../tools/find-tool.ts';
import { runTool, runToolOrFail } from '../tools/run-tool.ts';
import { type Check, fine, trouble } from './check.ts';
import { asRoot } from './install.ts';

export const rulesPath = '/etc/udev/rules.d/60-tinyml.rules';
const name = 'udev rules';
const toolSeconds = 60;

const digits = (value: number) => value.toString(16).padStart(4, '0');

/**
 * Rules that give whoever sits at the machine the boards' ports and boot loaders, and keep ModemManager off them: one
 * for each pair of USB ids in the board files.
 */
export function udevRules(): string {
  const ids = listBoards().flatMap(({ usb }) => usb.map(({ vid, pid }) => `${digits(vid)}:${digits(pid)}`));
  const rules = [...new Set(ids)].sort().map((id) => {
    const [vid, pid] = id.split(':');
    const match = `SUBSYSTEMS=="usb", ATTRS{idVendor}=="${vid}", ATTRS{idProduct}=="${pid}"`;
    return `${match}, MODE="0660", TAG+="uaccess", ENV{ID_MM_DEVICE_IGNORE}="1"`;
  });
  return ['# Boards that tinyml knows, made by: tinyml doctor --udev-rules', ...rules, ''].join('\n');
}

/** A machine without udev (a container) has no use for them. */
export function checkUdevRules(): Check {
  const tree = systemTree(systemRoot());
  if (tree.real('/etc/udev/rules.d') === undefined) return fine(name, 'no udev on this system');
  const there = tree.text(rulesPath);
  if (there === udevRules().trim()) return fine(name, rulesPath);
  const fix = `tinyml doctor --udev-rules | sudo tee ${rulesPath} && sudo udevadm control --reload && sudo udevadm trigger`;
  return trouble(name, there === undefined ? 'not installed' : 'of another version of tinyml', fix);
}

/** Installs the rules where that may be done without a question; resolves to whether it did. E_OUTPUT, E_TOOL_FAILED. */
export async function installUdevRules(context: Context): Promise<boolean> {
  if (checkUdevRules().ok) return false;
  const prefix = await asRoot(context);
  if (prefix === undefined) return false;
  const path = join(systemRoot(), rulesPath);
  const purpose = 'install udev rules';
  const run = (words: readonly string[]) => ({
    tool: words[0]!,
    args: words.slice(1),
    purpose,
    timeoutSeconds: toolSeconds,
  });
  if (prefix.length === 0) writeFileAtomically(path, udevRules(), context.lifetime);
  else {
    const input = new TextEncoder().encode(udevRules());
    await runToolOrFail({ ...run([...prefix, 'tee', path]), input }, context.lifetime);
  }
  if (findTool('udevadm') === undefined) return true;
  for (const action of [['control', '--reload'], ['trigger']]) {
    await runTool(run([...prefix, 'udevadm', ...action]), context.lifetime);
  }
  return true;
}
