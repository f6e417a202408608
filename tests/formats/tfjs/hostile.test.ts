import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TinymlError } from '../../../common/tinyml-error.ts';
import { evaluateFloat } from '../../../converter/evaluate/float.ts';
import { optimize } from '../../../converter/pipeline.ts';
import { indexBelow, seededRandom } from '../../../converter/search/random.ts';
import { stackTrace, tinyml } from '../../support/cli.ts';
import { imageGraph, sequenceGraph } from './graph-model.ts';
import { type Files, importFiles } from './models.ts';

type Document = Record<string, unknown>;

function edited(files: Files, edit: (document: Document) => void): Files {
  const document = JSON.parse(new TextDecoder().decode(files.get('model.json')));
  edit(document);
  return new Map([...files, ['model.json', new TextEncoder().encode(JSON.stringify(document))]]);
}

function codeOf(files: Files): string {
  try {
    importFiles(files);
  } catch (error) {
    if (error instanceof TinymlError) {
      expect(error.message).toMatch(/^model\.json: /);
      return error.code;
    }
    throw error;
  }
  return 'accepted';
}

const layersDocument = (layers: unknown[], weights: unknown[] = []): Files =>
  new Map([
    [
      'model.json',
      new TextEncoder().encode(
        JSON.stringify({
          modelTopology: { model_config: { class_name: 'Sequential', config: { layers } } },
          weightsManifest: [{ paths: ['w.bin'], weights }],
        }),
      ),
    ],
    ['w.bin', new Uint8Array(64)],
  ]);

const dense = (config: Document = {}) => ({
  class_name: 'Dense',
  config: { name: 'd', batch_input_shape: [null, 4], units: 2, use_bias: false, ...config },
});
const kernel = { name: 'd/kernel', shape: [4, 2], dtype: 'float32' };

describe('refusals', () => {
  test.each<[string, string, Files]>([
    ['no JSON', 'E_TFJS_DAMAGED', new Map([['model.json', new TextEncoder().encode('{"a":')]])],
    ['no topology', 'E_TFJS_DAMAGED', new Map([['model.json', new TextEncoder().encode('{"a":1}')]])],
    [
      'a layer of an unknown kind',
      'E_TFJS_UNSUPPORTED',
      layersDocument([{ ...dense(), class_name: 'LSTM' }], [kernel]),
    ],
    ['weights that are missing', 'E_TFJS_WEIGHTS', layersDocument([dense()])],
    [
      'weights longer than their file',
      'E_TFJS_WEIGHTS',
      layersDocument([dense()], [{ ...kernel, shape: [4, 20] }]),
    ],
    ['weights of another shape', 'E_TFJS_WEIGHTS', layersDocument([dense()], [{ ...kernel, shape: [2, 4] }])],
    [
      'sizes beyond all measure',
      'E_TFJS_DAMAGED',
      layersDocument([dense()], [{ ...kernel, shape: [2 ** 40, 2] }]),
    ],
    ['weights of text', 'E_TFJS_DAMAGED', layersDocument([dense()], [{ ...kernel, dtype: 'string' }])],
    [
      'an unknown activation',
      'E_TFJS_UNSUPPORTED',
      layersDocument([dense({ activation: 'selu' })], [kernel]),
    ],
    [
      'open sizes',
      'E_TFJS_INPUT_SHAPE',
      layersDocument([dense({ batch_input_shape: [null, null] })], [kernel]),
    ],
    [
      'a graph that depends on itself',
      'E_TFJS_DAMAGED',
      edited(imageGraph(), (document) => {
        const { node } = document['modelTopology'] as { node: { name: string; input: string[] }[] };
        node.find(({ name }) => name === 'conv/fused')!.input[0] = 'sum';
      }),
    ],
    [
      'an operator that is unknown',
      'E_TFJS_UNSUPPORTED',
      edited(imageGraph(), (document) => {
        const { node } = document['modelTopology'] as { node: { name: string; op: string }[] };
        node.find(({ name }) => name === 'leaky')!.op = 'Selu';
      }),
    ],
    [
      'channels first',
      'E_TFJS_UNSUPPORTED',
      edited(imageGraph(), (document) => {
        const { node } = document['modelTopology'] as { node: { name: string; attr: Document }[] };
        node.find(({ name }) => name === 'dw')!.attr['data_format'] = {
          s: Buffer.from('NCHW').toString('base64'),
        };
      }),
    ],
  ])('%s', (_, code, files) => {
    expect(codeOf(files)).toBe(code);
  });

  test('damage anywhere in the topology ends in a refusal or a graph, never in a bug', () => {
    const random = seededRandom(31);
    for (const files of [imageGraph(), sequenceGraph()]) {
      const text = new TextDecoder().decode(files.get('model.json'));
      for (let round = 0; round < 300; round++) {
        const at = indexBelow(random, text.length);
        const sign = '0123456789-{}[]":,xnull'[indexBelow(random, 23)]!;
        const damaged = text.slice(0, at) + sign + text.slice(at + 1);
        const changed = new Map([...files, ['model.json', new TextEncoder().encode(damaged)]]);
        try {
          optimize(importFiles(changed).graph);
        } catch (error) {
          const named = error instanceof Error && / was asked for$/.test(error.message);
          if (!named) expect(error, damaged.slice(at - 40, at + 40)).toBeInstanceOf(TinymlError);
        }
      }
    }
  });
});

test('quantized weights are what the manifest says they stand for', async () => {
  const quantization = { dtype: 'uint8', scale: 0.5, min: -1, original_dtype: 'float32' };
  const files = new Map(layersDocument([dense()], [{ ...kernel, quantization }]));
  files.set('w.bin', Uint8Array.from([0, 1, 2, 3, 4, 5, 6, 7]));
  const { graph } = importFiles(files);
  const [result] = await evaluateFloat(optimize(graph), [Float32Array.of(1, 10, 100, 1000)], 1);
  // Rows of the kernel: [-1, -0.5], [0, 0.5], [1, 1.5], [2, 2.5].
  expect([...result!]).toEqual([-1 + 100 + 2000, -0.5 + 5 + 150 + 2500]);
});

describe('from the command line', () => {
  let folder = '';
  const at = (name: string) => join(folder, name);
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tinyml-test-tfjs-'));
    mkdirSync(at('model'));
    for (const [name, bytes] of imageGraph()) writeFileSync(at(`model/${name}`), bytes);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('a model.json is inspected like any other model', async () => {
    const { code, stdout, stderr } = await tinyml(['inspect', at('model/model.json'), '--json']);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('conv/fused');
  });

  test.each([
    ['../secret.bin', /E_EXTERNAL_PATH/],
    ['/etc/hostname', /E_EXTERNAL_PATH/],
    ['link.bin', /E_EXTERNAL_PATH/],
    ['absent.bin', /E_EXTERNAL_PATH/],
  ])('weights at %s are refused', async (path, wanted) => {
    writeFileSync(at('secret.bin'), new Uint8Array(4000));
    rmSync(at('model/link.bin'), { force: true });
    symlinkSync(at('secret.bin'), at('model/link.bin'));
    const files = edited(imageGraph(), (document) => {
      (document['weightsManifest'] as { paths: string[] }[])[0]!.paths = [path];
    });
    writeFileSync(at('model/hostile.json'), files.get('model.json')!);
    const { code, stderr } = await tinyml(['inspect', at('model/hostile.json')]);
    expect(code).toBe(1);
    expect(stderr).toMatch(wanted);
    expect(stderr).not.toMatch(stackTrace);
  });

  test('JSON of another kind is told apart', async () => {
    writeFileSync(at('package.json'), '{"name": "x"}');
    const { code, stderr } = await tinyml(['inspect', at('package.json')]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/E_TFJS_DAMAGED: package\.json: .*modelTopology/);
  });
});
