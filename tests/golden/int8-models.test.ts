import { describe, expect, it } from 'vitest';
import { prepareInteger } from '../../converter/evaluate/integer.ts';
import { bytesOf } from '../../converter/ir/tensor.ts';
import { type Golden, goldenInput, hashesByName, int8Models, readGolden } from '../support/golden.ts';
import { type HostResult, hasHostCompiler, runOnHost } from '../support/host-c.ts';
import { sharedFolder } from '../support/oracle.ts';

const shared = sharedFolder();
const goldens = new Map(shared ? int8Models.map((name) => [name, readGolden(shared, name)] as const) : []);

function expectLayers({ graph, vectors }: Golden, layers: readonly Uint8Array[]): void {
  const hashes = hashesByName(graph, layers);
  const expected = vectors[0]!.layers!.map(({ op, name, fnv1a }) => [op, name, fnv1a]);
  expect(vectors[0]!.layers!.map(({ op, name }) => [op, name, hashes.get(name)])).toEqual(expected);
}

describe.skipIf(!shared)('int8 networks give the golden outputs (skipped without ../shared)', () => {
  it.each(int8Models)('%s in the reference evaluation, every layer', (name) => {
    const golden = goldens.get(name)!;
    const model = prepareInteger(golden.graph);
    for (const vector of golden.vectors) {
      const layers: Uint8Array[] = [];
      const onLayer = (_node: unknown, _index: number, data: Parameters<typeof bytesOf>[0]) =>
        layers.push(bytesOf(data).slice());
      const outputs = model.run([goldenInput(golden.graph, vector.seed)], { onLayer });
      expect(outputs.map((data) => Array.from(data as Int8Array))).toEqual(
        vector.outputs.map(({ data }) => data),
      );
      if (vector.layers) expectLayers(golden, layers);
    }
  });
});

const modes = ['speed', 'size'] as const;

describe.skipIf(!shared || !hasHostCompiler())('generated C (skipped without ../shared or gcc)', () => {
  const results = new Map<string, HostResult>();
  // All networks in one compilation: most of its time is the compiler's start and the kernels' headers.
  const run = () => {
    if (results.size > 0) return;
    const list = int8Models.map((name, i) => {
      const { graph, vectors } = goldens.get(name)!;
      const cases = vectors.map(({ seed }) => [goldenInput(graph, seed)]);
      return { name, job: { graph, cases, optimize: modes[i % modes.length]! } };
    });
    for (const [i, result] of runOnHost(list.map(({ job }) => job)).entries())
      results.set(list[i]!.name, result);
  };

  it.each(int8Models)('%s under sanitizers, every layer', (name) => {
    run();
    const golden = goldens.get(name)!;
    const { cases } = results.get(name)!;
    for (const [i, vector] of golden.vectors.entries()) {
      const outputs = new Int8Array(
        cases[i]!.outputs.buffer,
        cases[i]!.outputs.byteOffset,
        cases[i]!.outputs.length,
      );
      expect(Array.from(outputs)).toEqual(vector.outputs.flatMap(({ data }) => data));
      if (vector.layers) expectLayers(golden, cases[i]!.layers);
    }
  });
});
