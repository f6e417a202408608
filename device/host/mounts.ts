import type { SystemTree } from './read-system.ts';

export interface Mount {
  /** `/dev/sdb`, or what the file system calls its source. */
  readonly source: string;
  readonly path: string;
}

/** `/proc/mounts` writes blanks and the like as octal numbers (fstab(5)). */
const unescaped = (text: string) =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

export function listMounts(tree: SystemTree): Mount[] {
  return (tree.text('/proc/mounts') ?? '')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, path]) => path !== undefined && path !== '')
    .map(([source = '', path = '']) => ({ source: unescaped(source), path: unescaped(path) }));
}

/** Where the drives that are part of a USB device are mounted; `folder` is the device's in /sys. */
export function drivesOfUsb(tree: SystemTree, folder: string): string[] {
  return listMounts(tree)
    .filter(({ source }) => {
      const block = /^\/dev\/([^/]+)$/.exec(source)?.[1];
      const place = block === undefined ? undefined : tree.real(`/sys/class/block/${block}`);
      return place?.startsWith(`${folder}/`) ?? false;
    })
    .map(({ path }) => path);
}
