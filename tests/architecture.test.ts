import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** What each folder may import besides itself; `common` is a leaf. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  common: [],
  converter: ['common'],
  'firmware-templates': ['common'],
  boards: ['common'],
  device: ['common'],
  cli: ['common', 'converter', 'firmware-templates', 'boards', 'device'],
};

/** Inside converter: ir <- ops <- passes, quant, prune <- formats, codegen <- pipeline. Equal ranks may meet. */
const rank: Readonly<Record<string, number>> = {
  ir: 0,
  data: 0,
  ops: 1,
  passes: 2,
  quant: 2,
  train: 2,
  prune: 2,
  evaluate: 2,
  search: 4,
  formats: 3,
  codegen: 3,
};
const topRank = 4;

/** Modules and globals that would make the converter depend on the machine it runs on. */
const impureModules = /^(node:)?(fs|child_process|process|os|net|http|https|worker_threads|perf_hooks)(\/|$)/;
const impureGlobals =
  /\b(console\s*\.|process\s*\.|Date\s*\.\s*now|new Date\b|performance\s*\.|Math\s*\.\s*random)/;

/** Absolute folders of somebody's machine, which nothing that is published may name. */
const machinePaths = /(^|[\s'"`(=])\/(work|home|Users|root)\/[A-Za-z0-9_.-]+/;

interface Source {
  readonly path: string;
  readonly text: string;
  /** Imported paths from the root, for relative imports, and bare names otherwise. */
  readonly imports: readonly string[];
}

const importPattern =
  /\b(?:import|export)\s[^'"`;]*?from\s*['"]([^'"]+)['"]|\bimport\s*\(?\s*['"]([^'"]+)['"]/g;

function filesUnder(folder: string, pattern: RegExp): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'));
}

function readSource(path: string): Source {
  const text = readFileSync(join(root, path), 'utf8');
  const imports = [...text.matchAll(importPattern)].map((match) => {
    const name = match[1] ?? match[2]!;
    if (!name.startsWith('.')) return name;
    return relative(root, resolve(root, dirname(path), name))
      .split(sep)
      .join('/');
  });
  return { path, text, imports };
}

const sources = Object.keys(allowed).flatMap((folder) => filesUnder(folder, /\.ts$/).map(readSource));
const topOf = (path: string) => path.split('/')[0]!;
const isOurs = (path: string) => Object.hasOwn(allowed, topOf(path)) && path.includes('/');

function violations(check: (source: Source) => readonly string[]): string[] {
  return sources.flatMap((source) => check(source).map((what) => `${source.path}: ${what}`));
}

/** Code without comments and strings, near enough for a search for names. */
function codeOf(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\/\/.*$/gm, '')
    .replace(/`(?:[^`\\]|\\.)*`/g, '``')
    .replace(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, "''");
}

describe('architecture', () => {
  test('the reader of imports sees them', () => {
    expect(sources.length).toBeGreaterThan(50);
    expect(sources.find(({ path }) => path === 'cli/main.ts')?.imports).toContain('cli/command-table.ts');
    expect(sources.find(({ path }) => path === 'cli/command-table.ts')?.imports).toContain(
      'cli/commands/doctor.ts',
    );
  });

  test('folders use only what stands below them', () => {
    expect(
      violations(({ path, imports }) =>
        imports
          .filter((target) => isOurs(target) || target.includes('/../') || target.startsWith('..'))
          .filter((target) => topOf(target) !== topOf(path) && !allowed[topOf(path)]!.includes(topOf(target)))
          .map((target) => `may not use ${target}`),
      ),
    ).toEqual([]);
  });

  test('inside the converter, parts use only what stands below them', () => {
    const rankOf = (path: string) => (path.split('/').length > 2 ? rank[path.split('/')[1]!] : topRank);
    expect(
      violations(({ path, imports }) => {
        if (topOf(path) !== 'converter') return [];
        const own = rankOf(path);
        if (own === undefined)
          return ['stands in a folder that has no place in the order; see tests/architecture.test.ts'];
        return imports
          .filter((target) => topOf(target) === 'converter')
          .filter((target) => (rankOf(target) ?? topRank) > own)
          .map((target) => `may not use ${target}`);
      }),
    ).toEqual([]);
  });

  test('the converter is pure: no files, processes, console or clock', () => {
    expect(
      violations(({ path, imports, text }) => {
        if (topOf(path) !== 'converter') return [];
        const found = impureGlobals.exec(codeOf(text))?.[0];
        const modules = imports.filter((name) => impureModules.test(name)).map((name) => `imports ${name}`);
        return found === undefined ? modules : [...modules, `uses ${found}`];
      }),
    ).toEqual([]);
  });

  test('only the command line prints and ends the process', () => {
    const printing = /\b(console\s*\.\s*(log|error|warn|info)|process\s*\.\s*(exit|stdout|stderr|argv))\b/;
    expect(
      violations(({ path, text }) => {
        const found = topOf(path) === 'cli' ? undefined : printing.exec(codeOf(text))?.[0];
        return found === undefined ? [] : [`uses ${found}`];
      }),
    ).toEqual([]);
  });

  test('errors and their codes stand in errors.ts files', () => {
    expect(
      violations(({ path, text }) => {
        const made = /code:\s*'E_/.test(text) && !/(^|[/-])errors\.ts$/.test(path);
        return made ? ['names an error code outside errors.ts'] : [];
      }),
    ).toEqual([]);
  });

  test('no file names a folder of somebody’s machine', () => {
    const texts = /\.(ts|mjs|json|md|c|h|sh|py|yml)$/;
    const folders = [...Object.keys(allowed), 'tests', 'scripts', 'docs', 'examples'];
    const named = folders
      .flatMap((folder) => filesUnder(folder, texts))
      .filter((path) => path !== 'tests/architecture.test.ts')
      .filter((path) => machinePaths.test(readFileSync(join(root, path), 'utf8')));
    expect(named).toEqual([]);
  });
});
