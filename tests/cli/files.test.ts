import { execFileSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { externalReader } from '../../cli/files/external-data.ts';
import { identify } from '../../cli/files/identify.ts';
import { readInputFile } from '../../cli/files/input-file.ts';
import { readModelFile } from '../../cli/files/model-file.ts';
import { refuseInputs, writeFileAtomically, writeFolderAtomically } from '../../cli/files/output-file.ts';
import type { Lifetime } from '../../cli/lifetime.ts';
import { codeOf } from '../support/hostile.ts';

let folder = '';
const at = (name: string) => join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinyml-test-files-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const lifetime: Lifetime = {
  signal: new AbortController().signal,
  onEnd: () => () => {},
  breathe: async () => {},
  end: async () => {},
  interruptedWith: () => undefined,
};

const bytesOf = (text: string) => new TextEncoder().encode(text);

describe('reading', () => {
  const options = { expected: 'a file', limit: 1000 };

  test('a plain file, and a symbolic link that the user named', () => {
    writeFileSync(at('a'), 'hello');
    symlinkSync('a', at('link'));
    expect(readInputFile(at('a'), options).bytes).toEqual(bytesOf('hello'));
    expect(readInputFile(at('link'), options).bytes).toEqual(bytesOf('hello'));
  });

  test('a pipe, a device, a folder, a socket never hang', () => {
    execFileSync('mkfifo', [at('pipe')]);
    expect(codeOf(() => readInputFile(at('pipe'), options))).toBe('E_NOT_A_FILE');
    expect(codeOf(() => readInputFile('/dev/zero', options))).toBe('E_NOT_A_FILE');
    expect(codeOf(() => readInputFile(folder, options))).toBe('E_NOT_A_FILE');
  });

  test('nothing there, a part of the path that is a file, a NUL', () => {
    writeFileSync(at('a'), '');
    for (const path of [at('none'), at('a/b'), at('x\0y')]) {
      expect(codeOf(() => readInputFile(path, options))).toBe('E_FILE_MISSING');
    }
  });

  test('a sparse file beyond the limit is refused at once', () => {
    writeFileSync(at('big'), '');
    truncateSync(at('big'), 2 ** 32 + 1);
    expect(codeOf(() => readInputFile(at('big'), options))).toBe('E_FILE_TOO_BIG');
  });

  test.each([
    ['a PNG image', [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
    ['a zip archive', [0x50, 0x4b, 0x03, 0x04]],
    ['a Python pickle', [0x80, 0x04, 0x4e, 0x2e]],
    ['an HDF5 file', [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]],
    ['UTF-16 text', [0xff, 0xfe, 0x41, 0]],
    ['a gzip archive', [0x1f, 0x8b, 8]],
    ['an HTML page', [...bytesOf('<!DOCTYPE html>')]],
    ['empty', []],
  ])('a model that is %s is refused by that name', (text, bytes) => {
    writeFileSync(at('m.onnx'), Uint8Array.from(bytes));
    expect(identify(Uint8Array.from(bytes)).text).toContain(text);
    expect(() => readModelFile(at('m.onnx'))).toThrow(text);
  });

  test('JSON text is left to the reader of TensorFlow.js models', () => {
    const bytes = bytesOf('{"format": "layers-model"}');
    writeFileSync(at('model.json'), bytes);
    expect(identify(Uint8Array.from(bytes)).text).toContain('JSON text');
    expect(readModelFile(at('model.json')).name).toBe('model.json');
  });

  test('a TFLite model named .onnx is told apart', () => {
    writeFileSync(at('liar.onnx'), bytesOf('\x1c\0\0\0TFL3rest'));
    expect(() => readModelFile(at('liar.onnx'))).toThrow('a TFLite model');
    writeFileSync(at('true.tflite'), bytesOf('\x1c\0\0\0TFL3rest'));
    expect(readModelFile(at('true.tflite')).name).toBe('true.tflite');
  });
});

describe('external data', () => {
  const secret = 'canary-6f1d';
  const reader = () => externalReader(at('models/m.onnx'));
  beforeEach(() => {
    mkdirSync(at('models/weights'), { recursive: true });
    writeFileSync(at('models/m.onnx'), '');
    writeFileSync(at('models/w.bin'), '0123456789');
    writeFileSync(at('models/weights/deep.bin'), 'deep');
    writeFileSync(at('secret'), secret);
  });

  test('a range of a file beside the model or below', () => {
    expect(reader()('w.bin', 2, 3)).toEqual(bytesOf('234'));
    expect(reader()('weights/deep.bin', 0, undefined)).toEqual(bytesOf('deep'));
    expect(reader()('./w.bin', 8, 100)).toEqual(bytesOf('89'));
  });

  test.each([
    '../secret',
    'weights/../../secret',
    'weights/../w.bin',
    '/etc/passwd',
    'C:\\secret',
    '\\\\host\\share',
    '..\\secret',
    '',
    '.',
    'weights/',
    'weights/.',
    'w.bin\0',
    'a'.repeat(5000),
    '%2e%2e/secret',
    'none.bin',
    'weights',
  ])('%j is refused', (location) => {
    expect(['E_EXTERNAL_PATH', 'E_NOT_A_FILE']).toContain(codeOf(() => reader()(location, 0, undefined)));
  });

  test('links out of the folder, links inside it, hard links and pipes are refused', () => {
    symlinkSync('../secret', at('models/link'));
    symlinkSync('w.bin', at('models/inner'));
    symlinkSync('..', at('models/up'));
    linkSync(at('secret'), at('models/hard'));
    execFileSync('mkfifo', [at('models/pipe')]);
    for (const name of ['link', 'inner', 'up/secret', 'hard']) {
      expect(
        codeOf(() => reader()(name, 0, undefined)),
        name,
      ).toBe('E_EXTERNAL_PATH');
    }
    expect(codeOf(() => reader()('pipe', 0, undefined))).toBe('E_NOT_A_FILE');
  });

  test('the folder itself may be reached by a link', () => {
    symlinkSync('models', at('alias'));
    expect(externalReader(at('alias/m.onnx'))('w.bin', 0, 1)).toEqual(bytesOf('0'));
  });
});

describe('writing a file', () => {
  test('replaces the whole content and leaves nothing else', () => {
    writeFileSync(at('out'), 'a much longer old content');
    writeFileAtomically(at('out'), 'new', lifetime);
    expect(readFileSync(at('out'), 'utf8')).toBe('new');
    expect(readdirSync(folder)).toEqual(['out']);
  });

  test('makes missing folders, and writes through a link to its target', () => {
    writeFileAtomically(at('a/b/out'), 'x', lifetime);
    symlinkSync('a/b/out', at('link'));
    writeFileAtomically(at('link'), 'y', lifetime);
    expect(readFileSync(at('a/b/out'), 'utf8')).toBe('y');
  });

  test('never over a folder, a pipe, or an input', () => {
    mkdirSync(at('dir'));
    execFileSync('mkfifo', [at('pipe')]);
    writeFileSync(at('in'), 'input');
    linkSync(at('in'), at('alias'));
    expect(codeOf(() => writeFileAtomically(at('dir'), 'x', lifetime))).toBe('E_OUTPUT');
    expect(codeOf(() => writeFileAtomically(at('pipe'), 'x', lifetime))).toBe('E_OUTPUT');
    expect(codeOf(() => refuseInputs(at('alias'), [at('in')]))).toBe('E_OUTPUT_IS_INPUT');
  });

  test('a full device is an error that names the path', () => {
    expect(codeOf(() => writeFileAtomically('/proc/none/out', 'x', lifetime))).toBe('E_OUTPUT');
  });

  test('leftovers of a killed run are removed, those of a living one are kept', () => {
    const dead = '.out.tinyml-4194999-00000000.tmp';
    const alive = `.out.tinyml-${process.ppid}-00000000.tmp`;
    writeFileSync(at(dead), '');
    writeFileSync(at(alive), '');
    writeFileAtomically(at('out'), 'x', lifetime);
    expect(readdirSync(folder).sort()).toEqual([alive, 'out'].sort());
  });
});

describe('writing a folder', () => {
  const files = (text: string) =>
    new Map([
      ['model.c', text],
      ['sub/a.h', text],
      ['report.json', '{}'],
    ]);
  const write = (ours: readonly string[], text = 'new') =>
    writeFolderAtomically(at('out'), files(text), lifetime, { ours, inputs: [] });

  test('a new one appears whole', () => {
    write([]);
    expect(readFileSync(at('out/sub/a.h'), 'utf8')).toBe('new');
    expect(readdirSync(folder)).toEqual(['out']);
  });

  test('over one of ours: our old files go, those of the user stay', () => {
    write([]);
    writeFileSync(at('out/old.c'), 'ours of an earlier run');
    mkdirSync(at('out/notes/deep'), { recursive: true });
    writeFileSync(at('out/notes/deep/mine.txt'), 'mine');
    write(['model.c', 'sub', 'report.json', 'old.c'], 'newer');
    expect(readFileSync(at('out/model.c'), 'utf8')).toBe('newer');
    expect(existsSync(at('out/old.c'))).toBe(false);
    expect(readFileSync(at('out/notes/deep/mine.txt'), 'utf8')).toBe('mine');
    expect(statSync(at('out/notes/deep/mine.txt')).nlink).toBe(1);
    expect(readdirSync(folder)).toEqual(['out']);
  });

  test('into a folder that is not ours: files are renamed into it', () => {
    mkdirSync(at('out'));
    writeFileSync(at('out/mine.txt'), 'mine');
    write([]);
    expect(readdirSync(at('out')).sort()).toEqual(['mine.txt', 'model.c', 'report.json', 'sub']);
  });

  test('an input in the folder is never overwritten', () => {
    mkdirSync(at('out'));
    writeFileSync(at('out/model.c'), 'input');
    const work = () =>
      writeFolderAtomically(at('out'), files('x'), lifetime, { ours: [], inputs: [at('out/model.c')] });
    expect(codeOf(work)).toBe('E_OUTPUT_IS_INPUT');
    expect(readFileSync(at('out/model.c'), 'utf8')).toBe('input');
  });

  test('after a kill between the two renames the old folder comes back', () => {
    write([]);
    execFileSync('mv', [at('out'), at('.out.old.tinyml-4194999-00000000.tmp')]);
    mkdirSync(at('.out.tinyml-4194999-00000001.tmp'));
    writeFileSync(at('.out.old.tinyml-4194999-00000000.tmp/mine.txt'), 'mine');
    write(['model.c', 'sub', 'report.json'], 'newer');
    expect(readFileSync(at('out/mine.txt'), 'utf8')).toBe('mine');
    expect(readFileSync(at('out/model.c'), 'utf8')).toBe('newer');
    expect(readdirSync(folder)).toEqual(['out']);
  });

  test('a file that stands where the folder should be is refused', () => {
    writeFileSync(at('out'), 'a file');
    expect(codeOf(() => write([]))).toBe('E_OUTPUT');
    expect(readFileSync(at('out'), 'utf8')).toBe('a file');
  });
});
