import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readNpy, writeNpy } from '../../converter/data/npy.ts';
import { readNpz, writeNpz } from '../../converter/data/npz.ts';
import { codeOf, mutations } from '../support/hostile.ts';
import { oraclePython, runOracle } from '../support/oracle.ts';

const python = oraclePython();

const makeArrays = `
import sys, numpy as np
folder = sys.argv[1]
base = np.arange(24).reshape(2, 3, 4) - 5
for order in 'CF':
    for kind in ['<f2', '<f4', '<f8', '>f4', '>f8', '|i1', '<i2', '>i2', '<i4', '>i4', '<i8', '>i8']:
        np.save(f"{folder}/{order}{kind[0].replace('<', 'l').replace('>', 'b').replace('|', 'n')}{kind[1:]}.npy", np.asarray(base, dtype=kind, order=order))
    for kind in ['|u1', '<u2', '>u4', '<u8']:
        np.save(f"{folder}/{order}{kind[0].replace('<', 'l').replace('>', 'b').replace('|', 'n')}{kind[1:]}.npy", np.asarray(base + 5, dtype=kind, order=order))
np.save(f"{folder}/bool.npy", base > 3)
np.save(f"{folder}/scalar.npy", np.float32(2.5))
np.save(f"{folder}/object.npy", np.array([{}, None], dtype=object), allow_pickle=True)
np.save(f"{folder}/complex.npy", np.zeros(2, np.complex64))
np.save(f"{folder}/record.npy", np.zeros(2, [('a', 'f4'), ('b', 'i4')]))
np.lib.format.write_array(open(f"{folder}/v2.npy", 'wb'), base.astype(np.float32), version=(2, 0))
np.savez(f"{folder}/stored.npz", x=base.astype(np.float32), y=np.arange(2))
np.savez_compressed(f"{folder}/packed.npz", x=np.zeros((50, 100), np.float32), y=np.arange(50))
`;

describe.skipIf(python === undefined)('arrays written by numpy (needs the oracle environment)', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tinyml-test-npy-'));
    runOracle(python!, makeArrays, [folder]);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const read = (name: string) => readNpy(readFileSync(join(folder, name)), name, 'x');

  const signed = ['lf2', 'lf4', 'lf8', 'bf4', 'bf8', 'ni1', 'li2', 'bi2', 'li4', 'bi4', 'li8', 'bi8'];
  test.each(['C', 'F'].flatMap((order) => signed.map((kind) => order + kind)))('%s', (kind) => {
    const { shape, data } = read(`${kind}.npy`);
    expect(shape).toEqual([2, 3, 4]);
    expect(Array.from(data)).toEqual(Array.from({ length: 24 }, (_, i) => i - 5));
  });

  test.each(['C', 'F'].flatMap((order) => ['nu1', 'lu2', 'bu4', 'lu8'].map((kind) => order + kind)))(
    '%s',
    (kind) => {
      expect(Array.from(read(`${kind}.npy`).data)).toEqual(Array.from({ length: 24 }, (_, i) => i));
    },
  );

  test('bool, scalar and header version 2', () => {
    expect(Array.from(read('bool.npy').data)).toEqual(Array.from({ length: 24 }, (_, i) => Number(i > 8)));
    expect(read('scalar.npy')).toMatchObject({ shape: [], dtype: 'float32' });
    expect(read('v2.npy').shape).toEqual([2, 3, 4]);
  });

  test('objects, complex numbers and records are refused by name', () => {
    expect(codeOf(() => read('object.npy'))).toBe('E_NPY_OBJECT');
    expect(codeOf(() => read('complex.npy'))).toBe('E_NPY_TYPE');
    expect(codeOf(() => read('record.npy'))).toBe('E_NPY_TYPE');
  });

  test('archives, stored and compressed', () => {
    const stored = readNpz(readFileSync(join(folder, 'stored.npz')), 'stored.npz');
    expect([...stored.keys()]).toEqual(['x', 'y']);
    expect(stored.get('y')).toMatchObject({ dtype: 'int64', shape: [2] });
    const packed = readNpz(readFileSync(join(folder, 'packed.npz')), 'packed.npz');
    expect(packed.get('x')?.shape).toEqual([50, 100]);
    expect(packed.get('y')?.data[49]).toBe(49);
  });

  test('numpy reads what we write', () => {
    const values = new Uint8Array(Int8Array.from({ length: 6 }, (_, i) => i - 3).buffer);
    const npz = writeNpz(
      new Map([
        ['a', writeNpy('int8', [2, 3], values)],
        ['b', writeNpy('int8', [6], values)],
      ]),
    );
    const program = `import sys, io, base64, numpy as np
z = np.load(io.BytesIO(base64.b64decode(sys.argv[1])))
print(z['a'].tolist(), z['b'].shape, z['a'].dtype)`;
    const said = runOracle(python!, program, [Buffer.from(npz).toString('base64')]);
    expect(said.trim()).toBe('[[-3, -2, -1], [0, 1, 2]] (6,) int8');
  });

  test.each(['stored.npz', 'packed.npz'])('%s cut at every byte is refused as an npz', (name) => {
    const bytes = new Uint8Array(readFileSync(join(folder, name)));
    for (let length = 0; length < bytes.length; length++) {
      const error = errorOf(() => readNpz(bytes.subarray(0, length), 'cut.npz'));
      expect(error?.message, `length ${length}`).toMatch(/npz/);
    }
  });

  test.each(['stored.npz', 'packed.npz', 'Clf4.npy'])('%s damaged at random is read or refused', (name) => {
    const bytes = new Uint8Array(readFileSync(join(folder, name)));
    const read = name.endsWith('.npz') ? readNpz : (mutant: Uint8Array) => readNpy(mutant, name, 'x');
    for (const { seed, mutant } of mutations(bytes, 2000)) {
      expect(codeOf(() => read(mutant, name)) ?? 'E_', `seed ${seed}`).toMatch(/^E_/);
    }
  });
});

function errorOf(work: () => unknown): Error | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

/** A .npy file with any header text. */
function npy(header: string, data = new Uint8Array(16)): Uint8Array {
  const text = new TextEncoder().encode(`${header}\n`);
  return Uint8Array.from([
    0x93,
    0x4e,
    0x55,
    0x4d,
    0x50,
    0x59,
    1,
    0,
    text.length & 255,
    text.length >> 8,
    ...text,
    ...data,
  ]);
}

describe('hostile headers', () => {
  const header = (shape: string, descr = "'<f4'") =>
    npy(`{'descr': ${descr}, 'fortran_order': False, 'shape': ${shape}, }`);
  test.each([
    ['more elements than bytes', header('(1000000,)')],
    ['a product beyond the safe range', header('(99999999, 99999999, 99999999)')],
    ['a size of 2^63', header('(9223372036854775808,)')],
    ['a negative size', header('(-1,)')],
    ['too many axes', header(`(${'1,'.repeat(33)})`)],
    ['no shape', npy("{'descr': '<f4', 'fortran_order': False}")],
    ['code instead of a shape', header('(__import__("os").system("true"),)')],
    [
      'a header longer than the file',
      Uint8Array.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 255, 255, 1]),
    ],
    ['an unknown version', Uint8Array.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 9, 0, 1, 0, 10])],
  ])('%s', (_, bytes) => {
    expect(codeOf(() => readNpy(bytes, 'x.npy', 'x'))).toBe('E_NPY');
  });

  test('a zip bomb is refused before it is unpacked', () => {
    const zip = writeNpz(new Map([['x', writeNpy('uint8', [4], new Uint8Array(4))]]));
    const view = new DataView(zip.buffer);
    const central = zip.length - 22 - 46 - 5;
    expect(view.getUint32(central, true)).toBe(0x02014b50);
    view.setUint32(central + 24, 0xfffffff0, true);
    expect(codeOf(() => readNpz(zip, 'bomb.npz'))).toBe('E_DATA_TOO_BIG');
    view.setUint16(central + 10, 8, true);
    view.setUint32(central + 24, 0x3fffffff, true);
    expect(codeOf(() => readNpz(zip, 'bomb.npz'))).toBe('E_NPZ');
  });

  test('two arrays of one name are refused, a name like __proto__ is only a name', () => {
    const one = writeNpy('uint8', [1], Uint8Array.of(7));
    const arrays = readNpz(writeNpz(new Map([['__proto__', one]])), 'x.npz');
    expect(arrays.get('__proto__')?.data[0]).toBe(7);
    expect(({} as { shape?: unknown }).shape).toBeUndefined();
  });
});
