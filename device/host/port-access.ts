import { accessSync, constants, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { SystemTree } from './read-system.ts';

export interface PortAccess {
  readonly allowed: boolean;
  /** The group that owns the device; absent where there is none to be in. */
  readonly group?: string;
  /** The user is listed in that group, and only the session is older than that. */
  readonly loginAgain: boolean;
}

interface Group {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** group(5): name, password, number, members. */
function groupsOf(tree: SystemTree): Group[] {
  return (tree.text('/etc/group') ?? '').split('\n').map((line) => {
    const [name = '', , gid = '', members = ''] = line.split(':');
    return { name, gid: Number(gid), members: members.split(',') };
  });
}

function mayOpen(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return '';
  }
}

/** Whether this user may open a device of a Linux machine, and whose group would let him. */
export function accessTo(tree: SystemTree, device: string): PortAccess {
  const path = tree.root === '' ? device : join(tree.root, device);
  const stats = statSync(path, { throwIfNoEntry: false });
  const group = groupsOf(tree).find(({ gid }) => gid === stats?.gid);
  const helps = stats !== undefined && (stats.mode & 0o060) === 0o060 && group && group.name !== 'root';
  return {
    allowed: mayOpen(path),
    ...(helps ? { group: group.name } : {}),
    loginAgain: group?.members.includes(userName()) ?? false,
  };
}
