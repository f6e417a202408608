import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AnalyzeReport } from '../../cli/report/analyze-table.ts';
import { writeNpy } from '../../converter/data/npy.ts';
import { readNpz, writeNpz } from '../../converter/data/npz.ts';
import { writeTflite } from '../../converter/formats/tflite/write.ts';
import { importModel } from '../../converter/import-model.ts';
import { optimize } from '../../converter/pipeline.ts';
import { breakChannel } from '../../scripts/break-model.mjs';
import { stackTrace, tinyml } from '../support/cli.ts';
import { hasEmulator } from '../support/emulated-kernels.ts';
import { sharedFolder } from '../support/oracle.ts';

const shared = sharedFolder();
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinyml-analyze-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const model = (name: string) => join(shared!, 'models', name);
const data = (name: string) => join(shared!, 'eval', name);

/** A smaller set of digits, so that the test is quick. */
function firstDigits(count: number): string {
  const arrays = readNpz(readFileSync(data('digits.npz')), 'digits');
  const part = (name: string, samples: number) => {
    const { data: all, shape } = arrays.get(name)!;
    const size = all.length / shape[0]!;
    const values = Float32Array.from(all.subarray(0, samples * size) as ArrayLike<number>, Number);
    return writeNpy('float32', [samples, ...shape.slice(1)], new Uint8Array(values.buffer));
  };
  const path = join(folder, 'digits.npz');
  const files = { x: part('x', count), y: part('y', count), calib: part('calib', 64) };
  writeFileSync(path, writeNpz(new Map(Object.entries(files))));
  return path;
}

describe.skipIf(!shared)('tinyml analyze (needs ../shared)', () => {
  it('names the layer that was broken on purpose, says why, and recovers within a point', async () => {
    const source = readFileSync(model('digits_lenet.onnx'));
    const graph = optimize(importModel(source, { fileName: 'digits_lenet.onnx' }).graph);
    const broken = join(folder, 'broken.tflite');
    writeFileSync(broken, writeTflite(breakChannel(graph, 'node_Conv_25', 3, 200)));
    const [calib, out] = [firstDigits(400), join(folder, 'out')];
    const options = ['--calib', calib, '--data', calib, '--per-tensor', '--calibration', 'minmax'];
    const args = ['analyze', broken, ...options, '--max-drop', '1', '-o', out, '--json'];
    const result = await tinyml(args);
    expect(result.stderr).not.toMatch(stackTrace);
    expect(result.code).toBe(0);
    const report = result.json<AnalyzeReport>();
    const [first, chosen] = [report.attempts[0]!, report.attempts[report.chosen]!];
    expect(first.lost).toBeGreaterThan(20);
    expect(report.layers[0]).toMatchObject({ op: 'conv2d', name: graph.nodes[2]!.outputs[0] });
    expect(report.layers[0]!.cost).toBeGreaterThan(20);
    const causes = report.layers[0]!.causes.map((cause) => cause.kind);
    expect(causes).toContain('channel-imbalance');
    expect(report.layers[0]!.causes[0]!.text).toContain('channel 3 of 16');
    expect(chosen.lost).toBeLessThanOrEqual(1);
    expect(report.holds).toBe(true);
    expect(readFileSync(join(out, 'pareto.svg'), 'utf8')).toContain('<svg');
    const again = await tinyml([
      'eval',
      broken,
      '--calib',
      calib,
      '--data',
      calib,
      ...chosen.options,
      '--json',
    ]);
    expect(again.json<{ value: number }>().value).toBe(chosen.value);
  }, 120_000);

  it('says how close it came when the budget cannot be met, and ends with 3', async () => {
    const wanted = join(folder, 'wanted.npz');
    const arrays = readNpz(readFileSync(data('motor.npz')), 'motor');
    const x = Float32Array.from((arrays.get('x')!.data as Float32Array).subarray(0, 100 * 384));
    const array = writeNpy('float32', [100, 3, 128], new Uint8Array(x.buffer));
    writeFileSync(
      wanted,
      writeNpz(
        new Map([
          ['x', array],
          ['y', array],
        ]),
      ),
    );
    const sets = ['--calib', wanted, '--data', wanted, '--max-drop', '0'];
    const result = await tinyml(['analyze', model('motor_ae.onnx'), ...sets]);
    expect(result.code).toBe(3);
    expect(result.stdout).toMatch(/the budget does not hold; nearest: .* points lost, limit 0\)/);
  }, 120_000);

  it.skipIf(!hasEmulator())(
    'measures what it tries on the board when a limit asks for it (needs QEMU)',
    async () => {
      const limits = ['--max-flash', '200000', '--max-ram', '20000', '--max-latency-us', '10000'];
      const args = ['analyze', model('motor_tcn.onnx'), '--calib', data('motor.npz'), ...limits, '--json'];
      const report = (await tinyml(args)).json<AnalyzeReport>();
      expect(report).toMatchObject({ holds: true, board: 'virtual-stm32f405', metric: null });
      const { board } = report.attempts[0]!;
      expect(board!.instructions).toBeGreaterThan(100_000);
      expect(board!.ram).toBeGreaterThan(1000);
    },
    120_000,
  );

  it('needs labels to count points, and says so before it works', async () => {
    const calib = ['--calib', data('motor.npz')];
    const without = await tinyml(['analyze', model('motor_tcn.onnx'), ...calib, '--max-drop', '1']);
    expect(without.code).toBe(1);
    expect(without.stderr).toContain('E_LABELS_NEEDED');
    const names = readdirSync(folder);
    const unlabelled = join(folder, 'x.csv');
    writeFileSync(unlabelled, Array.from({ length: 3 }, () => new Array(384).fill(0).join()).join('\n'));
    const set = ['--data', unlabelled, '-o', join(folder, 'never')];
    const result = await tinyml(['analyze', model('motor_tcn.onnx'), ...calib, ...set]);
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('E_LABELS_NEEDED');
    expect(readdirSync(folder).sort()).toEqual([...names, 'x.csv'].sort());
  });

  it('refuses layers that are not there, with the nearest one', async () => {
    const args = ['convert', model('motor_tcn.onnx'), '--calib', data('motor.npz'), '-o', join(folder, 'no')];
    const result = await tinyml([...args, '--calibration', 'node_linaer=kl']);
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('E_UNKNOWN_LAYER');
    expect(result.stderr).toContain('did you mean node_linear?');
  });
});
