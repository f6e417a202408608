import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { writeNpy } from '../../converter/data/npy.ts';
import { readNpz } from '../../converter/data/npz.ts';
import { writeOnnx } from '../../converter/formats/onnx/write.ts';
import { stackTrace, tinyml } from '../support/cli.ts';
import { hasEmulator } from '../support/emulated-kernels.ts';
import { GraphBuilder } from '../support/graphs.ts';

const example = join(import.meta.dirname, '..', '..', 'examples', 'motor-fault');
const model = join(example, 'model.onnx');
const data = join(example, 'data.npz');

interface Pruned {
  readonly before: { macs: number; instructions: number };
  readonly after: { macs: number; instructions: number };
  readonly layers: readonly { name: string; before: number; after: number }[];
  readonly kept: readonly { layer: string; reason: string }[];
  readonly score: { before: { metric: string; n: number }; after: { value: number } } | null;
}

let folder = '';
const at = (name: string) => join(folder, name);

function unlabelled(): void {
  const { x } = Object.fromEntries(readNpz(readFileSync(data), 'data.npz'));
  const some = new Uint8Array(x!.data.slice(0, 128 * 384).buffer);
  writeFileSync(at('x.npy'), writeNpy('float32', [128, 3, 128], some));
  writeFileSync(at('wrong.npy'), writeNpy('float32', [128, 4, 96], some));
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinyml-test-prune-'));
  unlabelled();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Training takes seconds on an idle machine, and many on one that runs other tests. */
vi.setConfig({ testTimeout: 300_000 });

const half = ['prune', model, '--data', data, '--target', 'macs=0.5', '--epochs', '4'];

describe('tinyml prune', () => {
  test('half the MACs, written as ONNX that keeps most of the accuracy; a killed run goes on to the same bytes', async () => {
    const whole = await tinyml([...half, '-o', at('whole.onnx'), '--json']);
    expect(whole.stderr).not.toMatch(stackTrace);
    expect(whole.code).toBe(0);
    const { before, after, layers, kept, score } = whole.json<Pruned>();
    expect(after.macs / before.macs).toBeLessThanOrEqual(0.5);
    expect(after.macs / before.macs).toBeGreaterThan(0.3);
    expect(after.instructions / before.instructions).toBeLessThan(0.53);
    expect(layers.some((layer) => layer.after < layer.before && layer.after % 4 === 0)).toBe(true);
    expect(kept.map(({ reason }) => reason)).toEqual(['its channels are an output of the model']);
    expect(score?.before).toMatchObject({ metric: 'top-1', n: 100 });
    expect(score?.after.value).toBeGreaterThan(0.8);

    const checkpoint = at('killed.onnx.checkpoint');
    const killed = await tinyml([...half, '-o', at('killed.onnx')], {
      onStart: (child) => {
        const timer = setInterval(() => existsSync(checkpoint) && child.kill('SIGKILL'), 20);
        child.on('close', () => clearInterval(timer));
      },
    });
    expect(killed.code).toBeNull();
    expect(existsSync(at('killed.onnx'))).toBe(false);
    const resumed = await tinyml([...half, '-o', at('killed.onnx')]);
    expect(resumed.stderr).toContain('going on where an earlier run stopped');
    expect(readFileSync(at('killed.onnx')).equals(readFileSync(at('whole.onnx')))).toBe(true);
    expect(readdirSync(folder).filter((name) => name.includes('checkpoint'))).toEqual([]);
  });

  test('without labels the unpruned model teaches, and it says so', async () => {
    const args = ['prune', model, '--data', at('x.npy'), '--target', 'bytes=0.6', '--epochs', '0.5'];
    const { code, stderr } = await tinyml([...args, '-o', at('taught.onnx')]);
    expect(stderr).toContain('has no labels y: learning from the unpruned model alone');
    expect(code).toBe(0);
  });

  test.each(['l1', 'l2', 'batch-norm'])('--criterion %s without training', async (criterion) => {
    const args = ['prune', model, '--data', data, '--target', 'macs=0.7', '--no-fine-tune'];
    const { code, json } = await tinyml([
      ...args,
      '--criterion',
      criterion,
      '-o',
      at('plain.onnx'),
      '--json',
    ]);
    expect(code).toBe(0);
    const { before, after } = json<Pruned>();
    expect(after.macs / before.macs).toBeLessThanOrEqual(0.7);
  });

  test.skipIf(!hasEmulator())(
    'instructions are measured on the emulated board (needs QEMU and gcc)',
    async () => {
      const args = ['prune', model, '--data', data, '--target', 'instructions=0.6', '--no-fine-tune'];
      const { code, json } = await tinyml([...args, '--criterion', 'l2', '-o', at('counted.onnx'), '--json']);
      expect(code).toBe(0);
      const { measured } = json<{ measured: { before: number; after: number } }>();
      expect(measured.after / measured.before).toBeLessThanOrEqual(0.6);
      expect(measured.after / measured.before).toBeGreaterThan(0.45);
    },
  );

  test('convert --prune --qat: pruned and tuned in one go, by the ranges that training learned', async () => {
    const args = ['convert', model, '--calib', data, '--prune', 'macs=0.6', '--qat', '--train', data];
    const { code, json, stderr } = await tinyml([...args, '--epochs', '0.5', '-o', at('out'), '--json']);
    expect(stderr).not.toMatch(stackTrace);
    expect(code).toBe(0);
    const whole = await tinyml(['convert', model, '--calib', data, '-o', at('plain'), '--json']);
    expect(json<{ macs: number }>().macs).toBeLessThanOrEqual(0.6 * whole.json<{ macs: number }>().macs);
    expect(readFileSync(join(at('out'), 'model.c'), 'utf8')).toContain('--prune macs=0.6 --qat');
    expect(readdirSync(folder).filter((name) => name.includes('checkpoint'))).toEqual([]);
  });

  test.each([
    [['--qat'], 'E_TRAINING_DATA_NEEDED'],
    [['--prune', 'macs=0.5'], 'E_TRAINING_DATA_NEEDED'],
    [['--qat', '--train', at('absent.npz')], 'E_FILE_MISSING'],
  ])('convert %j without data to train on is refused', async (words, codeName) => {
    const { code, stderr } = await tinyml(['convert', model, '--calib', data, ...words, '-o', at('none')]);
    expect(stderr).toContain(codeName);
    expect(code).toBe(1);
    expect(existsSync(at('none'))).toBe(false);
  });

  interface Refusal {
    readonly what: string;
    readonly args: () => readonly string[];
    readonly exit: number;
    readonly says: readonly string[];
  }

  const refusals: readonly Refusal[] = [
    {
      what: 'a budget that no layer can meet',
      args: () => [model, '--data', data, '--target', 'macs=0.01'],
      exit: 3,
      says: ['E_PRUNE_BUDGET', 'macs=0.01', 'is left', 'keeps its channels'],
    },
    {
      what: 'labels that are needed and absent',
      args: () => [model, '--data', at('x.npy'), '--target', 'macs=0.5', '--no-distill'],
      exit: 1,
      says: ['E_TRAIN_LABELS', 'x.npy', '"y"'],
    },
    {
      what: 'data of another shape',
      args: () => [model, '--data', at('wrong.npy'), '--target', 'macs=0.5'],
      exit: 1,
      says: ['E_DATA_SHAPE'],
    },
    {
      what: 'a model with one layer',
      args: () => [at('one.onnx'), '--data', at('x.npy'), '--target', 'macs=0.5'],
      exit: 3,
      says: ['E_PRUNE_NOTHING', 'head keeps its channels: its channels are an output of the model'],
    },
    {
      what: 'a target that is no share',
      args: () => [model, '--data', data, '--target', 'macs=50%'],
      exit: 1,
      says: ['E_BAD_VALUE', '--target'],
    },
  ];

  test.each(refusals)('refuses $what', async ({ args, exit, says }) => {
    const build = new GraphBuilder();
    const weights = [build.constant([4, 384]), build.constant([4])];
    const flat = build.node('reshape', [build.input('x', [1, 3, 128])], { shape: [1, 384] });
    const head = build.node('fullyConnected', [flat, ...weights], { activation: 'none' }, 'head');
    writeFileSync(at('one.onnx'), writeOnnx(build.finish(head), '1.0'));
    const { code, stderr } = await tinyml(['prune', ...args(), '-o', at('refused.onnx')]);
    for (const text of says) expect(stderr).toContain(text);
    expect(stderr).not.toMatch(stackTrace);
    expect(code).toBe(exit);
    expect(readdirSync(folder).filter((name) => name.startsWith('refused'))).toEqual([]);
  });
});
