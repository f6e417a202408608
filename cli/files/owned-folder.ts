import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readInputFile } from './input-file.ts';

/** Files that list what we wrote beside them: of `convert` and of `build`. */
export const reportName = 'report.json';
export const buildListName = 'tinyml-build.json';
/** Folder of a model folder whose folders `tinyml build` writes. */
export const firmwareName = 'firmware';

/** What a build makes; that of an older model must never stay beside a newer one, whatever a list says. */
const firmwareImages = ['firmware.elf', 'firmware.bin', 'firmware.hex'];

const listLimit = 67_108_864;

/** A relative path that leads nowhere else; lists may come from anywhere. */
export function isOwnFileName(name: unknown): name is string {
  return (
    typeof name === 'string' &&
    /^[A-Za-z0-9_][A-Za-z0-9_./-]{0,120}$/.test(name) &&
    !name.split('/').some((part) => part === '' || part === '.' || part === '..')
  );
}

function namesOf(document: unknown): string[] | undefined {
  const { tool, files } = (document ?? {}) as { tool?: unknown; files?: unknown };
  if (tool !== 'tinyml' || typeof files !== 'object' || files === null) return undefined;
  const names: unknown[] = Object.values(files);
  return names.every(isOwnFileName) ? names : undefined;
}

function listedIn(folder: string, list: string): string[] | undefined {
  try {
    const options = { expected: 'a list of files', limit: listLimit, own: true };
    const { bytes } = readInputFile(join(folder, list), options);
    const names = namesOf(JSON.parse(new TextDecoder().decode(bytes)));
    return names && [...names, list];
  } catch {
    return undefined;
  }
}

function foldersIn(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch {
    return [];
  }
}

/**
 * Paths below a folder of the files that tinyml wrote there, those of its firmware included; undefined for a folder that
 * tinyml did not write. The one place that decides whose a folder is.
 */
export function ownFilesOf(folder: string): ReadonlySet<string> | undefined {
  const own = listedIn(folder, reportName) ?? listedIn(folder, buildListName);
  if (own === undefined) return undefined;
  const built = foldersIn(join(folder, firmwareName)).flatMap((board) => {
    const place = `${firmwareName}/${board}`;
    const listed = listedIn(join(folder, place), buildListName) ?? [];
    return [...listed, ...firmwareImages].map((name) => `${place}/${name}`);
  });
  return new Set([...own, ...built]);
}
