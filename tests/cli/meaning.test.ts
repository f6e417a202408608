import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readNpy, type WritableType, writeNpy } from '../../converter/data/npy.ts';
import { writeNpz } from '../../converter/data/npz.ts';
import { writeOnnx } from '../../converter/formats/onnx/write.ts';
import { stackTrace, tinyml } from '../support/cli.ts';
import { GraphBuilder, randomFloats } from '../support/graphs.ts';

/**
 * ADC counts of four channels, centred and far above 127; the class is the channel that is greatest.
 */
const [count, channels] = [120, 4];
const counts = Float64Array.from(randomFloats(count * channels, 5), (x, i) => Math.round(2000 * x) + (i % 7));
const classes = Float64Array.from({ length: count }, (_, n) => {
  const row = counts.subarray(n * channels, (n + 1) * channels);
  return row.indexOf(Math.max(...row));
});

const typed = {
  int16: Int16Array,
  int32: Int32Array,
  float32: Float32Array,
} as const;

function array(dtype: keyof typeof typed, shape: number[], values: Float64Array): Uint8Array {
  return writeNpy(dtype as WritableType, shape, new Uint8Array(typed[dtype].from(values).buffer));
}

function identityModel(): Uint8Array {
  const build = new GraphBuilder();
  const x = build.input('x', [1, channels]);
  const eye = Array.from({ length: channels ** 2 }, (_, i) => (i % (channels + 1) === 0 ? 1 : 0));
  const middle = build.node(
    'fullyConnected',
    [x, build.constant([channels, channels], eye), build.constant([channels], new Float32Array(channels))],
    { activation: 'none' },
  );
  return writeOnnx(build.finish(build.node('leakyRelu', [middle], { alpha: 0.5 })), '1.0');
}

let folder = '';
const at = (name: string) => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinyml-test-meaning-'));
  writeFileSync(at('adc.onnx'), identityModel());
  for (const dtype of ['int16', 'int32', 'float32'] as const) {
    const arrays = new Map([
      ['x', array(dtype, [count, channels], counts)],
      ['y', array('int32', [count], classes)],
    ]);
    writeFileSync(at(`${dtype}.npz`), writeNpz(arrays));
    writeFileSync(at(`${dtype}.npy`), array(dtype, [3, channels], counts.subarray(0, 3 * channels)));
  }
  const rows = Array.from({ length: count }, (_, n) =>
    counts.slice(n * channels, (n + 1) * channels).join(','),
  );
  writeFileSync(
    at('int64.csv'),
    `a,b,c,d,label\n${rows.map((row, n) => `${row},${classes[n]}`).join('\n')}\n`,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function documentOf<T>(...args: string[]): Promise<T> {
  const result = await tinyml([...args, '--json'], { cwd: folder });
  expect(result.stderr).not.toMatch(stackTrace);
  expect(result.code, result.stderr).toBe(0);
  return result.json<T>();
}

const stores = ['float32.npz', 'int16.npz', 'int32.npz', 'int64.csv'];

describe('the type in which data are stored changes nothing for a model with a float input', () => {
  test.each(['float', 'int8', 'c', 'board'])('eval --engine %s', async (engine) => {
    const values = [];
    for (const store of stores) {
      const args = ['eval', 'adc.onnx', '--data', store, '--calib', store, '--engine', engine];
      values.push(await documentOf(...args));
    }
    expect(values[0]).toMatchObject({ metric: 'top-1', n: count });
    expect((values[0] as { value: number }).value).toBeGreaterThan(0.97);
    for (const value of values) expect(value).toEqual(values[0]);
  });

  test('convert and analyze', async () => {
    const bytes = [];
    const scores = [];
    for (const store of stores) {
      await documentOf('convert', 'adc.onnx', '--calib', store, '-o', `out-${store}`);
      bytes.push(readFileSync(at(`out-${store}/model.tflite`)));
      const { float, n } = await documentOf<Record<string, number>>(
        'analyze',
        'adc.onnx',
        '--calib',
        store,
        '--data',
        store,
        '--max-drop',
        '50',
      );
      scores.push([float, n]);
    }
    for (const other of bytes) expect(other.equals(bytes[0]!)).toBe(true);
    for (const score of scores) expect(score).toEqual([1, count]);
  });

  test.each(['float', 'int8', 'c'])('run --engine %s', async (engine) => {
    const [reference, ...others] = await Promise.all(
      ['float32.npy', 'int16.npy', 'int32.npy'].map((input) =>
        documentOf('run', 'adc.onnx', '-i', input, '--calib', 'float32.npz', '--engine', engine),
      ),
    );
    for (const other of others) expect(other).toEqual(reference);
  });
});

interface Outputs {
  readonly outputs: readonly {
    dtype: string;
    shape: number[];
    data: number[];
    scale?: number;
    zeroPoint?: number;
  }[];
}

describe('run answers in the type that the user’s model declares', () => {
  const run = (model: string, ...more: string[]) =>
    documentOf<Outputs>('run', model, '-i', 'float32.npy', ...more);

  test('a float model gives real numbers, and with --raw the codes behind them', async () => {
    const real = (await run('adc.onnx', '--calib', 'float32.npz')).outputs[0]!;
    const codes = (await run('adc.onnx', '--calib', 'float32.npz', '--raw')).outputs[0]!;
    expect(real).toMatchObject({ dtype: 'float32', shape: [3, channels] });
    expect(codes).toMatchObject({ dtype: 'int8', shape: [3, channels] });
    expect(codes.data.map((code) => Math.fround((code - codes.zeroPoint!) * codes.scale!))).toEqual(
      real.data,
    );
  });

  test('quantized ONNX with a float output gives real numbers, an int8 file codes', async () => {
    await documentOf('convert', 'adc.onnx', '--calib', 'float32.npz', '--to', 'onnx-qdq', '-o', 'q.onnx');
    const real = (await run('adc.onnx', '--calib', 'float32.npz')).outputs[0]!;
    expect((await run('q.onnx')).outputs[0]).toMatchObject({ dtype: 'float32', data: real.data });
    await documentOf('convert', 'adc.onnx', '--calib', 'float32.npz', '--to', 'tflite', '-o', 'q.tflite');
    expect((await run('q.tflite')).outputs[0]).toMatchObject({ dtype: 'int8' });
  });

  test('results of several samples are written along the batch, or along a new axis where there is none', async () => {
    const build = new GraphBuilder();
    const doubled = build.node('add', [build.input('x', [channels]), build.constant([channels])]);
    writeFileSync(at('rank1.onnx'), writeOnnx(build.finish(doubled), '1.0'));
    for (const [model, input] of [
      ['rank1.onnx', 'int16.npy'],
      ['adc.onnx', 'int16.npy'],
    ] as const) {
      await documentOf('run', model, '-i', input, '--engine', 'float', '-o', 'y.npy');
      const y = readNpy(new Uint8Array(readFileSync(at('y.npy'))), 'y.npy', 'y');
      expect(y).toMatchObject({ dtype: 'float32', shape: [3, channels] });
    }
  });
});

describe('where a person would shout', () => {
  test('data of another scale than the calibration data', async () => {
    const small = counts.subarray(0, 40 * channels).map((value) => value / 32_768);
    writeFileSync(at('small.npy'), array('float32', [40, channels], small));
    const args = ['run', 'adc.onnx', '-i', 'small.npy', '--calib', 'int16.npz'];
    expect((await tinyml(args, { cwd: folder })).stderr).toMatch(
      /warning: input x uses 1 of its 256 codes: the data reach from -0\.06\d* to 0\.0[56]\d*, the calibration data from -20\d\d to \d{4}/,
    );
    const large = ['run', 'adc.onnx', '-i', 'int16.npy', '--calib', 'small.npy'];
    expect((await tinyml(large, { cwd: folder })).stderr).toMatch(
      /warning: input x: \d+\.\d % of the numbers are clipped/,
    );
    const same = await tinyml(['run', 'adc.onnx', '-i', 'int16.npy', '--calib', 'float32.npz'], {
      cwd: folder,
    });
    expect(same.stderr).not.toMatch(/warning: input/);
  });

  test.each([['eval', '--engine', 'int8'], ['convert', '-o', 'far'], ['deploy']])(
    '%s with an accuracy far below float names the next command',
    async (command, ...more) => {
      // One sample of a huge magnitude leaves one code or two to all others.
      const skewed = Float64Array.from(counts);
      skewed[0] = 4e6;
      writeFileSync(at('skewed.npy'), array('float32', [count, channels], skewed));
      const recipe = ['--calib', 'skewed.npy', '--calibration', 'minmax'];
      const args = [command, 'adc.onnx', '--data', 'int16.npz', ...recipe, ...more];
      const { stderr, code } = await tinyml(args, { cwd: folder });
      expect(code, stderr).toBe(0);
      expect(stderr).toMatch(
        /warning: the converted model is far worse than the float one: top-1 .* against 100\.00 %; tinyml analyze/,
      );
    },
  );

  test('convert --data tells the accuracy and keeps it in the report', async () => {
    const args = ['convert', 'adc.onnx', '--calib', 'int16.npz', '--data', 'int16.npz', '-o', 'scored'];
    const { accuracy } = await documentOf<{ accuracy: Record<string, unknown> }>(...args);
    expect(accuracy).toMatchObject({ metric: 'top-1', n: count, float: 1 });
    expect(JSON.parse(readFileSync(at('scored/report.json'), 'utf8')).accuracy).toEqual(accuracy);
  });
});

describe('--metric', () => {
  test('chooses the score; the others say what fits', async () => {
    const args = ['eval', 'adc.onnx', '--data', 'int16.npz'];
    expect(await documentOf(...args, '--metric', 'f1')).toMatchObject({ metric: 'f1', value: 1 });
    expect(await documentOf(...args, '--metric', 'top2')).toMatchObject({ metric: 'top-2', value: 1 });
    const wrong = await tinyml([...args, '--metric', 'rmse'], { cwd: folder });
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringMatching(/E_METRIC[\s\S]*top-1/) });
    const unknown = await tinyml([...args, '--metric', 'acuracy'], { cwd: folder });
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringMatching(/did you mean accuracy/) });
  });

  test('as many classes as features are classes; labels from 1 are told', async () => {
    expect(await documentOf('eval', 'adc.onnx', '--data', 'int16.npz')).toMatchObject({ metric: 'top-1' });
    const arrays = new Map([
      ['x', array('int16', [count, channels], counts)],
      [
        'y',
        array(
          'int32',
          [count],
          classes.map((label) => label + 1),
        ),
      ],
    ]);
    writeFileSync(at('from1.npz'), writeNpz(arrays));
    const result = await tinyml(['eval', 'adc.onnx', '--data', 'from1.npz'], { cwd: folder });
    expect(result.stdout).toMatch(/top-1 100\.00 %/);
    expect(result.stderr).toMatch(
      /from1\.npz: labels run from 1 to 4: 1 is taken for the first of 4 outputs/,
    );
  });
});
