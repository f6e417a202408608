import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  lstatSync,
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
import { declareInput, resetGuard } from '../../cli/files/guard.ts';
import { identify } from '../../cli/files/identify.ts';
import { readInputFile } from '../../cli/files/input-file.ts';
import { readModelFile } from '../../cli/files/model-file.ts';
import { writeFileAtomically } from '../../cli/files/output-file.ts';
import { markOf, markText } from '../../common/process-mark.ts';
import { codeOf } from '../support/hostile.ts';
import { quietLifetime as lifetime } from '../support/quiet-context.ts';

let folder = '';
const at = (name: string) => join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinyml-test-files-'));
  resetGuard();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

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
    declareInput({ path: at('in'), by: '' });
    expect(codeOf(() => writeFileAtomically(at('alias'), 'x', lifetime))).toBe('E_OUTPUT_IS_INPUT');
    expect(readFileSync(at('in'), 'utf8')).toBe('input');
  });

  test('a full device is an error that names the path', () => {
    expect(codeOf(() => writeFileAtomically('/proc/none/out', 'x', lifetime))).toBe('E_OUTPUT');
  });

  test('leftovers of a killed run are removed, those of a living one are kept', () => {
    const dead = '.out.tinyml-4194999-00000000.tmp';
    const alive = `.out.tinyml-${markText(markOf(process.ppid))}-00000000.tmp`;
    // Another process has that number by now; and one that cannot be seen from here.
    const reused = `.out.tinyml-${process.pid}.1-00000000.tmp`;
    const elsewhere = `.out.tinyml-${process.pid}.1.00000000-00000000.tmp`;
    for (const name of [dead, alive, reused, elsewhere]) writeFileSync(at(name), '');
    writeFileAtomically(at('out'), 'x', lifetime);
    expect(readdirSync(folder).sort()).toEqual([alive, elsewhere, 'out'].sort());
  });

  test('owner and mode stay, and a name of 255 bytes is no trouble', () => {
    const long = 'ü'.repeat(127);
    writeFileSync(at(long), 'old', { mode: 0o640 });
    chmodSync(at(long), 0o640);
    writeFileAtomically(at(long), 'new', lifetime);
    expect(statSync(at(long)).mode & 0o777).toBe(0o640);
    expect(readFileSync(at(long), 'utf8')).toBe('new');
  });

  test('through a link that leads to nothing yet', () => {
    mkdirSync(at('real'));
    symlinkSync('real/later', at('link'));
    writeFileAtomically(at('link'), 'x', lifetime);
    expect(lstatSync(at('link')).isSymbolicLink()).toBe(true);
    expect(readFileSync(at('real/later'), 'utf8')).toBe('x');
  });
});
