import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readNpy, writeNpy } from '../../converter/data/npy.ts';
import { readNpz } from '../../converter/data/npz.ts';
import { readElf } from '../../firmware-templates/elf.ts';
import { stackTrace, tinyml } from '../support/cli.ts';
import { sharedFolder } from '../support/oracle.ts';

const example = join(import.meta.dirname, '..', '..', 'examples', 'motor-fault');
const model = join(example, 'model.onnx');
const data = join(example, 'data.npz');

interface Report {
  readonly model: { path: string; sha256: string; format: string };
  readonly engine: string;
  readonly files: Record<string, string>;
  readonly layers: readonly Record<string, unknown>[];
  readonly arenaBytes: number;
}

let folder = '';
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tinyml-test-commands-'));
  const { x } = Object.fromEntries(readNpz(readFileSync(data), 'data.npz'));
  const three = new Uint8Array(x!.data.slice(0, 3 * 384).buffer);
  writeFileSync(at('x.npy'), writeNpy('float32', [3, 3, 128], three));
  // The .tflite that we write has the layout of TFLite, and so have its data.
  writeFileSync(at('x-tflite.npy'), writeNpy('float32', [3, 1, 128, 3], three));
  const { code, stderr } = await tinyml(['convert', model, '--calib', data, '-o', at('out')]);
  expect(stderr).not.toContain('error');
  expect(code).toBe(0);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function contents(path: string): Map<string, string> {
  return new Map(
    readdirSync(path)
      .filter((name) => name !== 'report.json' && name !== 'firmware')
      .map((name) => [
        name,
        createHash('sha256')
          .update(readFileSync(join(path, name)))
          .digest('hex'),
      ]),
  );
}

describe('convert', () => {
  test('the document has the fields of the contract, and is report.json', async () => {
    const { code, stdout, json } = await tinyml([
      'convert',
      model,
      '--calib',
      data,
      '-o',
      at('json'),
      '--json',
    ]);
    expect(code).toBe(0);
    const report = json<Report & Record<string, unknown>>();
    expect(readFileSync(at('json/report.json'), 'utf8')).toBe(stdout);
    const sha256 = createHash('sha256').update(readFileSync(model)).digest('hex');
    expect(report.model).toEqual({ path: model, sha256, format: 'onnx' });
    expect(report).toMatchObject({ engine: 'aot', quantize: 'int8', macs: 119_936, warnings: [] });
    expect(report.files).toMatchObject({ tflite: 'model.tflite', c: 'model.c', h: 'model.h' });
    for (const name of Object.values(report.files)) expect(existsSync(join(at('json'), name))).toBe(true);
    const fields = ['name', 'op', 'inShape', 'outShape', 'macs', 'weightsBytes', 'sqnrDb'];
    for (const layer of report.layers) expect(Object.keys(layer)).toEqual(fields);
  });

  test('the same options give the same bytes, in another folder, time zone and locale', async () => {
    const env = { TZ: 'Asia/Tokyo', LC_ALL: 'tr_TR.UTF-8' };
    await tinyml(['convert', model, '--calib', data, '-o', at('again')], { env });
    expect(contents(at('again'))).toEqual(contents(at('out')));
  });

  test('tflm gives an array, a resolver and no C model', async () => {
    const { json } = await tinyml([
      'convert',
      model,
      '--calib',
      data,
      '--engine',
      'tflm',
      '-o',
      at('tflm'),
      '--json',
    ]);
    const report = json<Report>();
    expect(report.engine).toBe('tflm');
    const names = Object.values(report.files).join(' ');
    expect(names).toMatch(/model_data\.cc/);
    expect(names).toMatch(/op_resolver\.h/);
    const { code, stderr } = await tinyml(['build', at('tflm')]);
    expect(code).toBe(1);
    expect(stderr).toContain('E_ENGINE');
  });

  test('--dump-after prints the graph, and an unknown pass lists all', async () => {
    const args = ['convert', model, '--quantize', 'float', '-o', at('float')];
    expect((await tinyml([...args, '--dump-after', 'simplify-layout'])).stdout).toMatch(/conv2d/);
    const { code, stderr } = await tinyml([...args, '--dump-after', 'simplify-layuot']);
    expect(code).toBe(1);
    expect(stderr).toContain('did you mean simplify-layout?');
  });
});

describe('inspect, run, eval', () => {
  test('inspect says what is in the model and where it fits', async () => {
    const summary = (await tinyml(['inspect', model, '--json'])).json<Record<string, unknown>>();
    expect(summary).toMatchObject({ macs: 119_936, inputs: [{ name: 'input', shape: [1, 3, 128] }] });
    expect(summary['boards']).toContainEqual({
      board: 'virtual-stm32f405',
      fits: true,
      over: { flash: 0, ram: 0 },
    });
    expect((await tinyml(['inspect', model])).stdout).toMatch(/fits +\S+: yes/);
  });

  test('inspect --kernels says which kernel each layer gets on a board, and why not a faster one', async () => {
    const args = ['inspect', model, '--kernels', '--calib', data, '--json'];
    type Kernels = {
      board: string;
      layers: { op: string; kernels: { form: string; declined: string[] }[] }[];
    };
    const formsOn = async (board: string) => {
      const { layers } = (await tinyml([...args, '--board', board])).json<Kernels>();
      return layers.map(({ op, kernels }) => `${op}: ${kernels.map(({ form }) => form).join(', ')}`);
    };
    expect(await formsOn('virtual-stm32f405')).toContain(
      'conv2d: dual weights, linear requantization, tiles of 4',
    );
    expect(await formsOn('virtual-rv32imc')).toContain('conv2d: packed, linear requantization');
    const { stdout } = await tinyml(['inspect', model, '--kernels', '--calib', data]);
    expect(stdout).toMatch(/leaky_relu.*portable.*no faster form is known/);
    expect(stdout).toMatch(/arena [\d,]+ bytes, most in node_\w+: node_\w+ [\d,]+ \+ /);
    expect((await tinyml(['inspect', model, '--kernels'])).stderr).toContain('E_CALIBRATION_NEEDED');
    const coded = (await tinyml([...args, '--weights', 'coded'])).stdout;
    expect(coded).toMatch(/coded weights: \d+ % of the bytes/);
    expect(coded.length, 'no constants in it').toBeLessThan(10_000);
  });

  const run = (args: readonly string[], input = 'x.npy') => tinyml(['run', ...args, '--input', at(input)]);

  test('run: float and int8 agree roughly, the outputs are floats as the model has them', async () => {
    const float = (await run([model, '--json'])).json<{ outputs: { data: number[]; shape: number[] }[] }>();
    const int8 = (await run([model, '--engine', 'int8', '--calib', data, '--json'])).json<typeof float>();
    expect(float.outputs[0]).toMatchObject({ name: 'output', dtype: 'float32', shape: [3, 4] });
    for (const [i, value] of float.outputs[0]!.data.entries()) {
      expect(Math.abs(value - int8.outputs[0]!.data[i]!)).toBeLessThan(0.5);
    }
  });

  test('run: reference, C here and C on the board give the same bytes of the int8 model', async () => {
    const tflite = at('out/model.tflite');
    for (const engine of ['int8', 'c', 'board']) {
      const { code, stderr } = await run(
        [tflite, '--engine', engine, '-o', at(`${engine}.npy`)],
        'x-tflite.npy',
      );
      expect(stderr).not.toMatch(/error/);
      expect(code).toBe(0);
    }
    const read = (engine: string) => readNpy(readFileSync(at(`${engine}.npy`)), engine, 'y');
    expect(read('int8')).toMatchObject({ dtype: 'int8', shape: [3, 4] });
    expect(read('c').data).toEqual(read('int8').data);
    expect(read('board').data).toEqual(read('int8').data);
  });

  test('eval: float and int8 reach what ONNX Runtime reaches', async () => {
    const args = ['eval', model, '--data', data, '--json'];
    const float = (await tinyml(args)).json<Record<string, unknown>>();
    expect(float).toEqual({ metric: 'top-1', value: 0.967, n: 1000, engine: 'float', float: null });
    const int8 = (await tinyml([...args, '--calib', data])).json<{ value: number; engine: string }>();
    expect(int8.engine).toBe('int8');
    expect(int8.value).toBeGreaterThan(0.964);
  });

  test('eval and run take the number format: 16-bit activations are nearer to float than 8-bit ones', async () => {
    const args = ['run', model, '--input', at('x.npy'), '--json'];
    type Run = { outputs: { data: number[] }[] };
    const read = async (...more: string[]) => {
      const { code, stderr, json } = await tinyml([...args, ...more]);
      expect(code, stderr).toBe(0);
      return json<Run>().outputs[0]!.data;
    };
    const float = await read();
    const farthest = (data: number[]) => Math.max(...data.map((x, i) => Math.abs(x - float[i]!)));
    const narrow = farthest(await read('--calib', data));
    expect(farthest(await read('--calib', data, '--quantize', 'int16x8'))).toBeLessThan(narrow);
    expect(await read('--calib', data, '--quantize', 'float')).toEqual(float);
    const refused = await tinyml(['eval', model, '--data', data, '--quantize', 'float', '--engine', 'int8']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('E_ENGINE');
  });
});

describe('to the board', () => {
  test('build leaves images and a size table, the same bytes each time', async () => {
    const { code, json } = await tinyml(['build', at('out'), '--json']);
    expect(code).toBe(0);
    const { files, sizes } = json<{
      files: Record<string, string>;
      sizes: { image: number; code: number };
    }>();
    expect(Object.keys(files)).toEqual(['elf', 'bin', 'hex']);
    expect(readFileSync(files['bin']!).length).toBe(sizes.image);
    const first = readFileSync(files['elf']!);
    await tinyml(['build', at('out')]);
    expect(readFileSync(files['elf']!).equals(first)).toBe(true);
  });

  test('flash writes and reads back', async () => {
    const { code, json } = await tinyml(['flash', at('out'), '--json']);
    expect(code).toBe(0);
    const { bytesVerified, imageBytes } = json<{ bytesVerified: number; imageBytes: number }>();
    expect(bytesVerified).toBeGreaterThanOrEqual(imageBytes);
  });

  test('verify compares every layer', async () => {
    const { code, json } = await tinyml(['verify', at('out'), '--vectors', '3', '--layers', '--json']);
    expect(code).toBe(0);
    expect(json()).toMatchObject({ vectors: 3, bitExact: true, layersChecked: 9, firstMismatch: null });
  });

  test('verify says which layer differs, with exit code 3', async () => {
    const broken = at('broken');
    cpSync(at('out'), broken, { recursive: true });
    const built = join(broken, 'firmware', 'virtual-stm32f405');
    const image = readFileSync(join(built, 'firmware.bin'));
    const { symbols } = readElf(readFileSync(join(built, 'firmware.elf')));
    const constants = symbols.find(({ name }) => name.startsWith('tml_w_4_'))!;
    const first = constants.address - 0x08000000;
    for (let i = first; i < first + constants.bytes; i++) image[i]! ^= 0x11;
    writeFileSync(join(built, 'firmware.bin'), image);
    const { code, stdout, stderr } = await tinyml(['verify', broken]);
    expect(stderr).not.toMatch(stackTrace);
    expect(stdout).toMatch(/NOT bit-exact: .* differs first in layer "node_conv1d_2" with input 1/);
    expect(code).toBe(3);
  });

  test('bench has the fields of the contract', async () => {
    const { code, json } = await tinyml(['bench', at('out'), '--runs', '3', '--json']);
    expect(code).toBe(0);
    const report = json<Record<string, unknown> & { latencyUs: Record<string, number>; layers: object[] }>();
    expect(report).toMatchObject({
      board: 'virtual-stm32f405',
      engine: 'aot',
      runs: 3,
      unit: { latency: 'us' },
      cycles: null,
    });
    expect(Object.keys(report.latencyUs)).toEqual(['min', 'median', 'p95', 'p99', 'max']);
    // Two products an instruction are the most that the core can do.
    expect(report['instructions']).toBeGreaterThan(119_936 / 2);
    expect(report['instructions']).toBeLessThan(125_000);
    expect(Object.keys(report['flash'] as object)).toEqual(['image', 'weights', 'code', 'other']);
    expect(Object.keys(report['ram'] as object)).toEqual(['arena', 'static', 'stackUsed']);
    for (const layer of report.layers)
      expect(Object.keys(layer)).toEqual(['name', 'op', 'macs', 'us', 'instructions']);
  });

  test('bench --cycles prices what the emulator executed, and says what it assumed', async () => {
    const { code, json } = await tinyml(['bench', at('out'), '--runs', '1', '--cycles', '--json']);
    expect(code).toBe(0);
    type Modelled = { cycles: number; instructions: number; perMac: number; assumptions: string[] };
    const report = json<{ instructions: number; cycles: null; modelledCycles: Modelled }>();
    const { cycles, instructions, perMac, assumptions } = report.modelledCycles;
    // The log repeats a few blocks that cannot be told from loops.
    expect(Math.abs(instructions / report.instructions - 1)).toBeLessThan(0.005);
    expect(cycles).toBeGreaterThan(instructions);
    expect(perMac).toBeCloseTo(cycles / 119_936, 9);
    expect(assumptions.join(' ')).toMatch(/without wait states/);
    expect(report.cycles).toBeNull();
    const other = await tinyml(['bench', at('out'), '--board', 'virtual-rv32imc', '--cycles']);
    expect(other.stderr).toMatch(/E_CYCLES_NOT_MODELLED/);
    expect(other.code).toBe(1);
  });

  test('deploy does it all and says so in words', async () => {
    const { code, stdout } = await tinyml(['deploy', model, '--calib', data, '-o', at('deployed')]);
    expect(code).toBe(0);
    for (const word of [
      /accuracy +float 96\.70 %, int8/,
      /latency/,
      /instructions/,
      /flash .*weights.*code.*rest/,
      /RAM .*arena.*static.*stack/,
      /bit-exact: 8 inputs/,
    ]) {
      expect(stdout).toMatch(word);
    }
    expect(existsSync(at('deployed/model.c'))).toBe(true);
  });
});

describe('bad input ends with exit code 1, a line, and nothing written', () => {
  const bytes = readFileSync(model);
  const files: Readonly<Record<string, Uint8Array | undefined>> = {
    'cut.onnx': bytes.subarray(0, 9000),
    'noise.onnx': Uint8Array.from({ length: 20_000 }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 24) & 255),
    'empty.onnx': new Uint8Array(0),
    'text.onnx': new TextEncoder().encode('this is not a model\n'),
    'tiny.tflite': Uint8Array.from([0x18, 0, 0, 0, 0x54, 0x46, 0x4c, 0x33]),
    'missing.onnx': undefined,
  };

  test.each(Object.keys(files))('%s', async (name) => {
    if (files[name]) writeFileSync(at(name), files[name]);
    const { code, stdout, stderr } = await tinyml(['convert', at(name), '--calib', data, '-o', at('bad')]);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^error E_[A-Z0-9_]+: /);
    expect(stderr).toContain(name);
    expect(stderr).not.toMatch(stackTrace);
    expect(existsSync(at('bad'))).toBe(false);
  });

  test.each([
    ['no calibration data', ['convert', model], /E_CALIBRATION_NEEDED.*calib/],
    ['data cut short', ['convert', model, '--calib', 'cut.npz'], /E_NPZ.*npz/],
    [
      'data of another shape',
      ['run', model, '--input', 'shape.npy'],
      /E_DATA_SHAPE.*\[1, 2, 3\].*\[1, 3, 128\]/,
    ],
    ['data that is not finite', ['run', model, '--input', 'nan.npy'], /E_DATA_NOT_FINITE.*"x".*\[0, 1, 2\]/],
    ['data that is a model', ['convert', model, '--calib', model], /E_WRONG_KIND.*expected data/],
    ['no labels', ['eval', model, '--data', 'nan.npy'], /E_LABELS_NEEDED.*nan\.npy/],
    [
      'a board that is not there',
      ['bench', model, '--board', 'virtual-stm32f450'],
      /E_UNKNOWN_BOARD.*virtual-stm32f405/,
    ],
    ['a folder that convert did not write', ['build', '.'], /E_NOT_CONVERTED.*report\.json/],
    ['an input that the model does not have', ['convert', model, '--input-shape', 'inptu=1,3,128'], /inptu/],
    [
      'float of a quantized model',
      ['run', 'out/model.tflite', '--input', 'x-tflite.npy', '--engine', 'float'],
      /E_ENGINE/,
    ],
    ['an output that is the input', ['run', model, '--input', 'x.npy', '-o', 'x.npy'], /E_OUTPUT_IS_INPUT/],
  ])('%s', async (_, args, message) => {
    writeFileSync(at('cut.npz'), readFileSync(data).subarray(0, 3000));
    writeFileSync(at('shape.npy'), writeNpy('float32', [1, 2, 3], new Uint8Array(24)));
    const values = new Float32Array(384);
    values[1 * 128 + 2] = Number.NaN;
    writeFileSync(at('nan.npy'), writeNpy('float32', [1, 3, 128], new Uint8Array(values.buffer)));
    const before = readdirSync(folder).sort();
    const { code, stderr } = await tinyml(args, { cwd: folder });
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(stackTrace);
    expect(code).toBe(1);
    expect(readdirSync(folder).sort()).toEqual(before);
  });

  const shared = sharedFolder();
  test.skipIf(shared === undefined)(
    'a model too big for the board (needs the shared models): bytes over, before building',
    async () => {
      const big = join(shared!, 'models', 'ad_int8.tflite');
      const { code, stderr } = await tinyml(['deploy', big, '--board', 'blackpill-f401cc'], {
        env: { PATH: '' },
      });
      expect(code).toBe(3);
      expect(stderr).toMatch(/E_MODEL_TOO_BIG[\s\S]*flash: at least \d+ bytes over/);
    },
  );

  test('a hostile report.json leads nowhere', async () => {
    mkdirSync(at('hostile'));
    const report = {
      tool: 'tinyml',
      engine: 'aot',
      optimize: 'speed',
      arenaBytes: 1,
      weightsBytes: 1,
      layers: [],
    };
    for (const files of [
      { c: '../x.npy' },
      { c: '/etc/passwd' },
      { c: '-fplugin=x.c' },
      { c: '$(touch pwned).c' },
      null,
    ]) {
      writeFileSync(at('hostile/report.json'), JSON.stringify({ ...report, files }));
      const { code, stderr } = await tinyml(['build', at('hostile')]);
      expect(code).toBe(1);
      expect(stderr).toContain('E_NOT_CONVERTED');
    }
  });
});
