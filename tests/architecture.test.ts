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
  metrics: 1,
  search: 4,
  formats: 3,
  codegen: 3,
};
const topRank = 4;

/**
 * Inside cli, a room uses rooms of a smaller rank only, so that of two rooms at most one uses the other. `settings.ts`
 * and the other files beside `main.ts` stand outside: rooms use them, and some of them use `files`, `report` or `commands`.
 */
const roomRank: Readonly<Record<string, number>> = {
  files: 0,
  tools: 0,
  model: 1,
  engine: 2,
  firmware: 2,
  board: 2,
  measure: 3,
  analyze: 4,
  report: 5,
  train: 6,
  search: 6,
  monitor: 6,
  record: 6,
  doctor: 6,
  commands: 7,
};

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

function importsOf(path: string, text: string): string[] {
  return [...text.matchAll(importPattern)].map((match) => {
    const name = match[1] ?? match[2]!;
    if (!name.startsWith('.')) return name;
    return relative(root, resolve(root, dirname(path), name))
      .split(sep)
      .join('/');
  });
}

function readSource(path: string): Source {
  const text = readFileSync(join(root, path), 'utf8');
  return { path, text, imports: importsOf(path, text) };
}

type Imports = Pick<Source, 'path' | 'imports'>;

/** One circle of files that import each other, its first file again at the end; empty where there is none. */
function circleIn(files: readonly Imports[]): string[] {
  const left = new Map(files.map(({ path, imports }) => [path, imports]));
  const next = (path: string) => left.get(path)!.find((target) => left.has(target));
  for (let before = -1; before !== left.size; ) {
    before = left.size;
    for (const path of left.keys()) if (next(path) === undefined) left.delete(path);
  }
  // Each file that is left imports another one, so that a walk comes back to where it was.
  const walk: string[] = [];
  let [at] = left.keys();
  for (; at !== undefined && !walk.includes(at); at = next(at)) walk.push(at);
  return at === undefined ? [] : [...walk.slice(walk.indexOf(at)), at];
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

  test('imports of types, of modules when they are needed, and what is passed on count', () => {
    const text = [
      "import type { A } from './a.ts';",
      "import { type B } from '../b.ts';",
      "export type { C } from './c.ts';",
      "const load = () => import('./d.ts');",
      "let e: import('./e.ts').E;",
      "import './f.ts';",
    ].join('\n');
    const names = ['cli/x/a', 'cli/b', 'cli/x/c', 'cli/x/d', 'cli/x/e', 'cli/x/f'];
    expect(importsOf('cli/x/y.ts', text)).toEqual(names.map((name) => `${name}.ts`));
  });

  test('a circle of files is found, and not where two ways lead to one file', () => {
    const entry = { path: 'entry', imports: ['a', 'b'] };
    const straight = [entry, { path: 'a', imports: ['b', 'node:fs'] }, { path: 'b', imports: ['c'] }];
    expect(circleIn([...straight, { path: 'c', imports: [] }])).toEqual([]);
    expect(circleIn([...straight, { path: 'c', imports: ['a'] }])).toEqual(['a', 'b', 'c', 'a']);
  });

  test('no files import each other in a circle', () => {
    expect(circleIn(sources)).toEqual([]);
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

  test('inside cli, rooms use only rooms that stand below them', () => {
    const roomOf = (path: string) => (path.split('/').length > 2 ? path.split('/')[1]! : undefined);
    expect(
      violations(({ path, imports }) => {
        const own = roomOf(path);
        if (topOf(path) !== 'cli' || own === undefined) return [];
        const rank = roomRank[own];
        if (rank === undefined)
          return ['stands in a room that has no place in the order; see tests/architecture.test.ts'];
        return imports
          .filter((target) => {
            const room = topOf(target) === 'cli' ? roomOf(target) : undefined;
            return room !== undefined && room !== own && (roomRank[room] ?? Infinity) >= rank;
          })
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

  test('in cli, only the files room writes files, and a drive that is a board is not one', () => {
    const writing =
      /\b(appendFile|chmod|chown|copyFile|cp|createWriteStream|ftruncate|link|mkdir|mkdtemp|open|rename|rm|rmdir|symlink|truncate|unlink|utimes|writeFile)(Sync)?\b/;
    const others = ['cli/board/flash/mass-storage.ts'];
    expect(
      violations(({ path, text }) => {
        if (topOf(path) !== 'cli' || path.startsWith('cli/files/') || others.includes(path)) return [];
        const imported = /import\s*\{([^}]*)\}\s*from 'node:fs(?:\/promises)?'/.exec(text)?.[1] ?? '';
        const found = writing.exec(imported)?.[0];
        const whole = /import \* as \w+ from 'node:fs|import \w+ from 'node:fs/.test(text);
        return found === undefined && !whole ? [] : [`uses ${found ?? 'all of node:fs'}`];
      }),
    ).toEqual([]);
  });

  test('in cli, one file writes to the terminal, and two hand it to a library that draws lines', () => {
    const streams = /\bconsole\s*\.|\bprocess\s*\.\s*(stdout|stderr)\b(?!\s*\.\s*(isTTY|columns)\b)/;
    const asked = /wantsColor\(process\.(stdout|stderr)|isLive\(process\.stderr/g;
    const others = ['cli/standard-streams.ts', 'cli/output.ts', 'cli/ask.ts'];
    expect(
      violations(({ path, text }) => {
        if (topOf(path) !== 'cli' || others.includes(path)) return [];
        const found = streams.exec(codeOf(text).replace(asked, ''))?.[0];
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
