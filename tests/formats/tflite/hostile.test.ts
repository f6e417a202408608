import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TinymlError } from '../../../common/tinyml-error.ts';
import { importTflite } from '../../../converter/formats/tflite/import.ts';
import { writeTflite } from '../../../converter/formats/tflite/write.ts';
import { verify } from '../../../converter/ir/verify.ts';
import { opRules } from '../../../converter/ops/rules.ts';
import { mutations } from '../../support/hostile.ts';
import { sharedFolder } from '../../support/oracle.ts';
import { smallFloat, smallInt8 } from './small-model.ts';

const shared = sharedFolder();
const sharedSeeds = ['hello_world_int8', 'micro_speech_quantized', 'kws_int8'] as const;

const seeds: [string, Uint8Array][] = [
  ['small_float', writeTflite(smallFloat())],
  ['small_int8', writeTflite(await smallInt8())],
];
if (shared) {
  for (const name of sharedSeeds)
    seeds.push([name, new Uint8Array(readFileSync(join(shared, 'models', `${name}.tflite`)))]);
}
const small = seeds.filter(([, bytes]) => bytes.length < 4096);

const slowest = 1000;

/** A damaged file ends in a message or in a graph that is legal and can be written; anything else is thrown on. */
function outcome(bytes: Uint8Array): 'refused' | 'read' {
  try {
    const { graph } = importTflite(bytes, { fileName: 'hostile.tflite' });
    verify(graph, 'typed', opRules);
    writeTflite(graph);
    return 'read';
  } catch (error) {
    if (!(error instanceof TinymlError) || error.exit !== 1) throw error;
    return 'refused';
  }
}

function survive(bytes: Uint8Array): 'refused' | 'read' {
  const start = performance.now();
  const result = outcome(bytes);
  if (performance.now() - start > slowest) throw new Error('took too long');
  return result;
}

const prototypeBefore = Object.getOwnPropertyNames(Object.prototype).join();

describe('damaged files', () => {
  it.each(small)('%s cut at every byte', (_, bytes) => {
    for (let length = 0; length < bytes.length - 16; length++) {
      if (survive(bytes.slice(0, length)) === 'read') throw new Error(`read although cut at ${length}`);
    }
  });

  it.each(small)('%s with every word replaced by every killer', (_, bytes) => {
    const killers = [
      0,
      1,
      0x7fffffff,
      0x80000000,
      0xffffffff,
      bytes.length - 1,
      bytes.length,
      bytes.length + 1,
    ];
    const seen = { refused: 0, read: 0 };
    for (let at = 0; at + 4 <= bytes.length; at += 4) {
      for (const killer of killers) {
        const mutant = bytes.slice();
        new DataView(mutant.buffer).setUint32(at, killer, true);
        seen[survive(mutant)]++;
      }
    }
    expect(seen.refused).toBeGreaterThan(1000);
  });

  it.each(seeds)('%s with seeded damage', (_, bytes) => {
    const count = bytes.length < 20_000 ? 2000 : 400;
    for (const { seed, mutant } of mutations(bytes, count)) {
      try {
        survive(mutant);
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
  });

  it('leaves the prototypes alone', () => {
    expect(Object.getOwnPropertyNames(Object.prototype).join()).toBe(prototypeBefore);
  });
});
