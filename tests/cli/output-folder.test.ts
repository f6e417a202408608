import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { declareInput, resetGuard } from '../../cli/files/guard.ts';
import { writeFolderAtomically } from '../../cli/files/output-folder.ts';
import { recoverPath } from '../../cli/files/recover-folder.ts';
import { markOf, markText, ownMark } from '../../common/process-mark.ts';
import { codeOf } from '../support/hostile.ts';
import { canMount } from '../support/mount.ts';
import { quietContext } from '../support/quiet-context.ts';

let folder = '';
const at = (name: string) => join(folder, name);
const mounted: string[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinyml-test-folder-'));
  resetGuard();
});
afterEach(() => {
  for (const path of mounted.splice(0)) execFileSync('umount', [path]);
  rmSync(folder, { recursive: true, force: true });
});

/** What `convert` would write, with a list of it. */
function files(text: string, names: readonly string[] = ['model.c', 'sub/a.h']) {
  const list = JSON.stringify({ tool: 'tinyml', files: [...names], text });
  return new Map([...names.map((name) => [name, text] as const), ['report.json', list]]);
}

function write(text: string, names?: readonly string[], force = false): string[] {
  const context = quietContext();
  writeFolderAtomically(context, at('out'), files(text, names), force);
  return context.said;
}

const textOf = (name: string) => readFileSync(at(name), 'utf8');
const modeOf = (name: string) => lstatSync(at(name)).mode & 0o7777;

/** Names of processes that are no more: one with a number that somebody has now, and one with a free number. */
const gone = [markText({ ...ownMark(), pid: process.ppid, started: '1' }), '4194999'];
/** Of another container, or of before the last start of this machine. */
const elsewhere = `${process.pid}.1.00000000`;

describe('writing a folder', () => {
  test('a new one appears whole', () => {
    write('new');
    expect(textOf('out/sub/a.h')).toBe('new');
    expect(readdirSync(folder)).toEqual(['out']);
  });

  test('over one of ours: our old files go, those of others stay, wherever they are', () => {
    write('old', ['model.c', 'old.c', 'sub/a.h', 'sub/old.h']);
    mkdirSync(at('out/notes/deep'), { recursive: true });
    mkdirSync(at('out/notes/empty'), { mode: 0o750 });
    chmodSync(at('out/notes/deep'), 0o700);
    writeFileSync(at('out/notes/deep/mine.txt'), 'mine');
    writeFileSync(at('out/sub/mine.h'), 'mine');
    symlinkSync('notes/deep', at('out/link'));
    write('new');
    expect(textOf('out/model.c')).toBe('new');
    expect([existsSync(at('out/old.c')), existsSync(at('out/sub/old.h'))]).toEqual([false, false]);
    expect([textOf('out/notes/deep/mine.txt'), textOf('out/sub/mine.h')]).toEqual(['mine', 'mine']);
    expect(statSync(at('out/notes/deep/mine.txt')).nlink).toBe(1);
    expect([modeOf('out/notes/deep'), modeOf('out/notes/empty')]).toEqual([0o700, 0o750]);
    expect(readlinkSync(at('out/link'))).toBe('notes/deep');
    expect(readdirSync(folder)).toEqual(['out']);
  });

  test.each([[0o700], [0o750], [0o2775]])('mode %o of the folder stays, and that of its files', (mode) => {
    mkdirSync(at('out'));
    chmodSync(at('out'), mode);
    write('first');
    expect(modeOf('out')).toBe(mode);
    chmodSync(at('out/model.c'), 0o600);
    write('second');
    expect([modeOf('out'), modeOf('out/model.c'), textOf('out/model.c')]).toEqual([mode, 0o600, 'second']);
  });

  test.skipIf(process.getuid?.() !== 0)('so does its owner (needs root)', () => {
    write('first');
    chownSync(at('out'), 1234, 2345);
    chownSync(at('out/model.c'), 1234, 2345);
    write('second');
    for (const name of ['out', 'out/model.c']) {
      expect([statSync(at(name)).uid, statSync(at(name)).gid]).toEqual([1234, 2345]);
    }
  });

  test('a link to a folder stays one, also to a folder that is not there yet', () => {
    symlinkSync('place', at('out'));
    for (const text of ['first', 'second']) {
      write(text);
      expect(lstatSync(at('out')).isSymbolicLink()).toBe(true);
      expect(textOf('place/model.c')).toBe(text);
    }
    expect(readdirSync(folder).sort()).toEqual(['out', 'place']);
  });

  test('a file in its place, or a folder in that of a file, is refused', () => {
    writeFileSync(at('out'), 'a file');
    expect(codeOf(() => write('x'))).toBe('E_OUTPUT');
    expect(textOf('out')).toBe('a file');
    rmSync(at('out'));
    write('first');
    rmSync(at('out/model.c'));
    mkdirSync(at('out/model.c'));
    expect(codeOf(() => write('second'))).toBe('E_OUTPUT');
    expect(textOf('out/sub/a.h')).toBe('first');
  });

  test('what leads out of it is refused', () => {
    mkdirSync(at('elsewhere'));
    write('first', ['model.c']);
    symlinkSync('../elsewhere', at('out/sub'));
    expect(codeOf(() => write('second', ['model.c', 'sub/a.h'], true))).toBe('E_OUTPUT');
    expect([textOf('out/model.c'), readdirSync(at('elsewhere'))]).toEqual(['first', []]);
  });
});

describe('a folder that is not ours', () => {
  test('is refused when it holds anything, and left as it is', () => {
    mkdirSync(at('out'));
    writeFileSync(at('out/CMakeLists.txt'), 'mine');
    expect(codeOf(() => write('x'))).toBe('E_OUTPUT_FOREIGN');
    expect([readdirSync(at('out')), textOf('out/CMakeLists.txt')]).toEqual([['CMakeLists.txt'], 'mine']);
  });

  test.each([
    ['no list of ours', '{"files": ["model.c"]}'],
    ['a list of another tool', '{"tool": "other", "files": ["model.c"]}'],
    ['a list that leads out', '{"tool": "tinyml", "files": ["../secret"]}'],
    ['no JSON', 'model.c'],
  ])('is one with a report.json that is %s', (_, text) => {
    mkdirSync(at('out'));
    writeFileSync(at('out/report.json'), text);
    expect(codeOf(() => write('x'))).toBe('E_OUTPUT_FOREIGN');
  });

  test('empty but for what systems leave there it is taken', () => {
    mkdirSync(at('out/lost+found'), { recursive: true });
    writeFileSync(at('out/.DS_Store'), '');
    write('x');
    expect(readdirSync(at('out')).sort()).toEqual([
      '.DS_Store',
      'lost+found',
      'model.c',
      'report.json',
      'sub',
    ]);
  });

  test('with force its files stay, and those that are replaced are told before', () => {
    mkdirSync(at('out/src'), { recursive: true });
    for (const name of ['model.c', 'main.c', 'src/x.c']) writeFileSync(at(`out/${name}`), 'mine');
    chmodSync(at('out'), 0o711);
    const inode = statSync(at('out')).ino;
    expect(write('new', undefined, true).join()).toMatch(/--force replaces model\.c$/);
    expect([textOf('out/model.c'), textOf('out/main.c'), textOf('out/src/x.c')]).toEqual([
      'new',
      'mine',
      'mine',
    ]);
    expect([statSync(at('out')).ino, modeOf('out')]).toEqual([inode, 0o711]);
  });

  test('somebody’s file in a folder of ours is not replaced by a new one of ours without force', () => {
    write('first', ['model.c']);
    writeFileSync(at('out/model.h'), 'mine');
    expect(codeOf(() => write('second', ['model.c', 'model.h']))).toBe('E_OUTPUT_FOREIGN');
    expect([textOf('out/model.h'), textOf('out/model.c')]).toEqual(['mine', 'first']);
    expect(write('second', ['model.c', 'model.h'], true).join()).toContain('model.h');
    expect(textOf('out/model.h')).toBe('second');
  });

  test.each([['model.c'], ['sub/a.h']])('an input in it is neither replaced nor removed (%s)', (name) => {
    write('first');
    declareInput({ path: at(`out/${name}`), by: '' });
    for (const names of [undefined, ['other.c']]) {
      expect(codeOf(() => write('x', names, true))).toBe('E_OUTPUT_IS_INPUT');
      expect(textOf(`out/${name}`)).toBe('first');
    }
  });
});

describe('a folder that cannot change places', () => {
  function mount(...args: readonly string[]): void {
    mkdirSync(at('out'), { recursive: true });
    execFileSync('mount', [...args, at('out')]);
    mounted.push(at('out'));
  }

  test.skipIf(!canMount).each([
    ['another file system', () => ['-t', 'tmpfs', '-o', 'mode=0750', 'tmpfs']],
    [
      'a bind mount',
      () => {
        mkdirSync(at('store'), { mode: 0o750 });
        chmodSync(at('store'), 0o750);
        return ['--bind', at('store')];
      },
    ],
  ])('%s as output, and again (needs root and mount)', (_, prepare) => {
    mount(...prepare());
    write('first', ['model.c', 'old.c']);
    writeFileSync(at('out/mine.txt'), 'mine');
    write('second');
    expect(readdirSync(at('out')).sort()).toEqual(['mine.txt', 'model.c', 'report.json', 'sub']);
    expect([textOf('out/sub/a.h'), modeOf('out')]).toEqual(['second', 0o750]);
  });

  test.skipIf(!canMount)(
    'a full one keeps what it has, and nothing half written (needs root and mount)',
    () => {
      mount('-t', 'tmpfs', '-o', 'size=64k', 'tmpfs');
      write('first');
      const big = new Map([...files('second'), ['big.c', 'x'.repeat(1 << 20)]]);
      expect(codeOf(() => writeFolderAtomically(quietContext(), at('out'), big, false))).toBe('E_OUTPUT');
      expect([textOf('out/model.c'), readdirSync(at('out')).sort()]).toEqual([
        'first',
        ['model.c', 'report.json', 'sub'],
      ]);
    },
  );

  test('the one that we stand in', () => {
    write('first', ['model.c', 'old.c']);
    const script = `
      const { writeFolderAtomically } = await import(process.argv[1]);
      const output = { warn() {} }, lifetime = { onEnd: () => () => {} };
      writeFolderAtomically({ output, lifetime }, '.', new Map(Object.entries(JSON.parse(process.argv[2]))), false);`;
    const module = join(import.meta.dirname, '../../dist/cli/files/output-folder.js');
    const args = [
      '--input-type=module',
      '-e',
      script,
      module,
      JSON.stringify(Object.fromEntries(files('second'))),
    ];
    const inode = statSync(at('out')).ino;
    execFileSync(process.execPath, args, { cwd: at('out') });
    expect([textOf('out/model.c'), existsSync(at('out/old.c')), statSync(at('out')).ino]).toEqual([
      'second',
      false,
      inode,
    ]);
  });
});

describe('after a kill', () => {
  /** As between the two renames of an exchange. */
  function stepAside(mark: string): void {
    write('old');
    renameSync(at('out'), at(`.out.tinyml-${mark}-00000000.old`));
    mkdirSync(at(`.out.tinyml-${mark}-00000001.tmp`));
  }

  /** As while ready files are moved into the folder: one is there already. */
  function stopFilling(mark: string): void {
    write('old', ['model.c', 'old.c', 'sub/a.h']);
    const ready = `out/.incoming.tinyml-${mark}-00000000.ready`;
    mkdirSync(at(`${ready}/files/sub`), { recursive: true });
    writeFileSync(at(`${ready}/drop.json`), '["old.c"]');
    for (const [name, text] of files('new')) {
      writeFileSync(at(name === 'model.c' ? 'out/model.c' : `${ready}/files/${name}`), text);
    }
  }

  test.each([...gone, elsewhere])('between two renames: who reads finds the old folder (%s)', (mark) => {
    stepAside(mark);
    recoverPath(at('out/model.c'));
    expect(textOf('out/model.c')).toBe('old');
  });

  test.each([...gone, elsewhere])('between two renames: who writes keeps what was not ours (%s)', (mark) => {
    stepAside(mark);
    writeFileSync(at(`.out.tinyml-${mark}-00000000.old/mine.txt`), 'mine');
    write('new');
    expect([textOf('out/mine.txt'), textOf('out/model.c')]).toEqual(['mine', 'new']);
    if (mark !== elsewhere) expect(readdirSync(folder)).toEqual(['out']);
  });

  test.each([...gone, elsewhere])('while files are moved in: who reads finds the new ones (%s)', (mark) => {
    stopFilling(mark);
    recoverPath(at('out/sub/a.h'));
    expect([textOf('out/sub/a.h'), textOf('out/model.c'), existsSync(at('out/old.c'))]).toEqual([
      'new',
      'new',
      false,
    ]);
    expect(readdirSync(at('out')).sort()).toEqual(['model.c', 'report.json', 'sub']);
  });

  test('what a living process is about to put back is left to it', () => {
    stepAside(markText(markOf(process.ppid)));
    writeFileSync(at('other'), '');
    recoverPath(at('other'));
    expect(existsSync(at('out'))).toBe(false);
  });

  test('a folder that somebody made up to look like that harms nobody', () => {
    write('old');
    mkdirSync(at('secret'));
    writeFileSync(at('secret/key'), 'key');
    linkSync(at('secret/key'), at('secret/again'));
    for (const [i, mark] of gone.entries()) {
      const ready = at(`out/.incoming.tinyml-${mark}-0000000${i}.ready`);
      mkdirSync(ready);
      writeFileSync(join(ready, 'drop.json'), '["../secret/key", "way/key", "model.c"]');
      symlinkSync(i === 0 ? at('secret') : '../../secret', join(ready, 'files'));
    }
    symlinkSync('../secret', at('out/way'));
    recoverPath(at('out'));
    expect([readdirSync(at('secret')).sort(), textOf('out/model.c')]).toEqual([['again', 'key'], 'old']);
    expect(readdirSync(at('out')).sort()).toEqual(['model.c', 'report.json', 'sub', 'way']);
  });
});
