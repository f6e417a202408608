import { describe, expect, it } from 'vitest';
import { tensorOf } from '../../converter/ir/graph.ts';
import { optimize } from '../../converter/pipeline.ts';
import { goldenInput, readGolden } from '../support/golden.ts';
import { type HostResult, hasHostCompiler, runOnHost } from '../support/host-c.ts';
import { sharedFolder } from '../support/oracle.ts';

const shared = sharedFolder();
const names = ['ic_float', 'vww_float', 'ad_float', 'hello_world_float'] as const;

describe.skipIf(!shared || !hasHostCompiler())(
  'float networks in C (skipped without ../shared or gcc)',
  () => {
    const goldens = shared ? names.map((name) => readGolden(shared, name)) : [];
    let results: HostResult[] = [];
    const run = () => {
      if (results.length > 0) return;
      results = runOnHost(
        goldens.map(({ graph, vectors }) => ({
          graph: optimize(graph),
          cases: vectors.map(({ seed }) => [Float32Array.from(goldenInput(graph, seed), (x) => fromByte(x))]),
        })),
      );
    };

    it.each(names)('%s within 1e-4 of LiteRT', (name) => {
      run();
      const index = names.indexOf(name);
      const { graph, vectors } = goldens[index]!;
      expect(tensorOf(graph, graph.outputs[0]!.value).type.dtype).toBe('float32');
      for (const [i, { outputs }] of vectors.entries()) {
        const actual = new Float32Array(results[index]!.cases[i]!.outputs.slice().buffer);
        const expected = outputs[0]!.data;
        expect(actual.length).toBe(expected.length);
        const worst = expected.map((value, k) => Math.abs(actual[k]! - value) / Math.max(1, Math.abs(value)));
        expect(Math.max(...worst)).toBeLessThan(1e-4);
      }
    });
  },
);

/** Float inputs of the golden files: (byte - 128) / 128 of the unsigned byte. */
function fromByte(signed: number): number {
  return ((signed & 0xff) - 128) / 128;
}
