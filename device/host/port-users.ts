import type { SystemTree } from './read-system.ts';

/** A process that has a file open. */
export interface PortUser {
  readonly pid: number;
  /** The program's name, cut to 15 characters as the kernel keeps it. */
  readonly program: string;
}

const isProcess = (name: string) => /^\d+$/.test(name);

function opens(tree: SystemTree, pid: string, device: string): boolean {
  const folder = `/proc/${pid}/fd`;
  return tree.names(folder).some((name) => tree.link(`${folder}/${name}`) === device);
}

/**
 * Processes that have a device open, from /proc/PID/fd (proc(5)); those of other users are seen by root only. `device`
 * is the device's own path, not a link to it.
 */
export function usersOf(tree: SystemTree, device: string): PortUser[] {
  return tree
    .names('/proc')
    .filter(isProcess)
    .filter((pid) => opens(tree, pid, device))
    .map((pid) => ({ pid: Number(pid), program: tree.text(`/proc/${pid}/comm`) ?? 'unknown program' }));
}

/** Names of all programs that run. */
export function runningPrograms(tree: SystemTree): Set<string> {
  const names = tree
    .names('/proc')
    .filter(isProcess)
    .map((pid) => tree.text(`/proc/${pid}/comm`));
  return new Set(names.filter((name) => name !== undefined));
}
