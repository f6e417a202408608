import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { TinymlError } from '../../../common/tinyml-error.ts';
import { importTflite } from '../../../converter/formats/tflite/import.ts';
import { writeTflite } from '../../../converter/formats/tflite/write.ts';
import { tensorOf } from '../../../converter/ir/graph.ts';
import { print } from '../../../converter/ir/print.ts';
import { elementCount } from '../../../converter/ir/tensor.ts';
import type { Graph, TensorData } from '../../../converter/ir/types.ts';
import { verify } from '../../../converter/ir/verify.ts';
import { opRules } from '../../../converter/ops/rules.ts';
import { oraclePython, sharedFolder } from '../../support/oracle.ts';
import { hasTflm, type RuntimeAnswer, runRuntime } from './runtimes.ts';

const shared = sharedFolder();
const python = oraclePython();
const folder = shared ? join(shared, 'models') : '';
const files = shared ? readdirSync(folder).filter((name) => name.endsWith('.tflite')) : [];
const readable = files.filter((name) => !name.includes('lstm'));
const load = (name: string) => new Uint8Array(readFileSync(join(folder, name)));
const graphOf = (name: string) => importTflite(load(name), { fileName: name }).graph;

/** Input of the golden files: bytes of a linear congruential generator. */
function goldenInputs(graph: Graph, seed: number): TensorData[] {
  let state = seed >>> 0;
  return graph.inputs.map((port) => {
    const bytes = Uint8Array.from({ length: elementCount(port.shape) }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state >>> 24;
    });
    const isFloat = tensorOf(graph, port.value).type.dtype === 'float32';
    return isFloat ? Float32Array.from(bytes, (x) => (x - 128) / 128) : new Int8Array(bytes.buffer);
  });
}

const seeds = [1, 2];
const cases = readable.flatMap((name) => seeds.map((seed) => [name, seed] as const));

function answersOf(
  engine: 'litert' | 'tflm',
  list: typeof cases,
  model: (name: string) => Uint8Array,
): RuntimeAnswer[] {
  const jobs = list.map(([name, seed]) => ({
    model: model(name),
    inputs: goldenInputs(graphOf(name), seed),
  }));
  return runRuntime(python!, engine, jobs);
}

const rewritten = (name: string) => writeTflite(graphOf(name));

describe.skipIf(!shared)('shared models (skipped without ../shared)', () => {
  it.each(readable)('%s becomes a typed graph with unique names', (name) => {
    const graph = graphOf(name);
    verify(graph, 'typed', opRules);
    const isInteger = name.includes('int8') || name.includes('quantized');
    if (isInteger) verify(graph, 'quantized', opRules);
    else expect(print(graph)).not.toContain('int8');
  });

  it.each(readable)('%s reads back from our file as the same graph', (name) => {
    const graph = graphOf(name);
    const bytes = writeTflite(graph);
    const again = importTflite(bytes, { fileName: name }).graph;
    expect(Buffer.compare(writeTflite(again), bytes)).toBe(0);
    // A reshape that the reader had to insert is named after itself the second time, after its user the first.
    const withoutOrigins = (text: string) => text.replace(/ # ".*"$/gm, '');
    expect(withoutOrigins(print(again))).toBe(withoutOrigins(print(graph)));
  });

  it('names every unsupported operator and the tensor it makes', () => {
    for (const name of files.filter((file) => file.includes('lstm'))) {
      let error: TinymlError | undefined;
      try {
        graphOf(name);
      } catch (caught) {
        error = caught as TinymlError;
      }
      expect(error).toMatchObject({ code: 'E_TFLITE_UNSUPPORTED_OP', exit: 1 });
      expect(error!.message).toContain(name);
      expect(error!.measure.join('\n')).toContain(
        'UNIDIRECTIONAL_SEQUENCE_LSTM: "tfl.unidirectional_sequence_lstm"',
      );
    }
  });

  it('turns the hybrid model into a float graph and says so', () => {
    const { graph, notes } = importTflite(load('kws_float.tflite'), { fileName: 'kws_float.tflite' });
    expect(notes.join('\n')).toContain('hybrid');
    expect([...graph.values.values()].map((value) => value.type.dtype)).not.toContain('int8');
  });

  it('notes the unknown batch', () => {
    const { notes } = importTflite(load('ic_int8.tflite'), { fileName: 'ic_int8.tflite' });
    expect(notes).toEqual(['input "input_1_int8" has an unknown batch size; 1 is taken']);
  });

  it('reads and writes the 330 kB model in under 50 ms', () => {
    const bytes = load('vww_int8.tflite');
    const times = Array.from({ length: 5 }, () => {
      const start = performance.now();
      writeTflite(importTflite(bytes, { fileName: 'vww_int8.tflite' }).graph);
      return performance.now() - start;
    });
    expect(Math.min(...times)).toBeLessThan(50);
  });
});

describe.skipIf(!shared || !python)('our files in LiteRT (skipped without ../shared and the oracle)', () => {
  let original: RuntimeAnswer[] = [];
  let ours: RuntimeAnswer[] = [];
  beforeAll(() => {
    original = answersOf('litert', cases, load);
    ours = answersOf('litert', cases, rewritten);
  });

  it.each(cases.map(([name, seed], i) => [name, seed, i] as const))('%s, seed %i', (name, _, i) => {
    expect(ours[i]!.error).toBeUndefined();
    expect(ours[i]!.names).toEqual(original[i]!.names);
    if (name !== 'kws_float.tflite') {
      expect(ours[i]!.outputs).toEqual(original[i]!.outputs);
      return;
    }
    // LiteRT quantizes a hybrid model's activations on the fly; the float graph does not.
    const [want, got] = [original[i]!, ours[i]!].map(({ outputs }) => new Float32Array(outputs[0]!.buffer));
    for (const [k, x] of got!.entries()) expect(Math.abs(x - want![k]!)).toBeLessThan(0.05);
  });
});

const tflm = shared !== undefined && python !== undefined && hasTflm(python);

describe.skipIf(!tflm)('our files in TFLM (skipped without PyPI tflite-micro in the oracle)', () => {
  const small = cases.filter(([name, seed]) => seed === 1 && !/vww_float|ad_float/.test(name));
  let original: RuntimeAnswer[] = [];
  let ours: RuntimeAnswer[] = [];
  beforeAll(() => {
    original = answersOf('tflm', small, load);
    ours = answersOf('tflm', small, rewritten);
  });

  it.each(small.map(([name], i) => [name, i] as const))('%s', (name, i) => {
    expect(ours[i]!.error).toBeUndefined();
    if (name === 'kws_float.tflite') expect(original[i]!.error).toBeDefined();
    else expect(ours[i]!.outputs).toEqual(original[i]!.outputs);
  });
});
