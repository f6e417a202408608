import { describe, expect, it } from 'vitest';
import { chooseKernel } from '../../converter/codegen/rv32/choose-kernel.ts';
import { dropDeadChannels } from '../../converter/passes/drop-dead-channels.ts';
import { hasEmulator, runEmulated } from '../support/emulated-kernels.ts';
import { readGolden } from '../support/golden.ts';
import { layerRuns } from '../support/network-layers.ts';
import { sharedFolder } from '../support/oracle.ts';
import { rv32 } from './machine.ts';

const shared = sharedFolder();

/** Layers with an RV32 kernel, and their instructions plus 1 %. */
const limits = [
  { name: 'kws_int8', instructions: 6_824_000, layers: 10 },
  { name: 'ic_int8', instructions: 27_861_000, layers: 13 },
  { name: 'vww_int8', instructions: 11_270_000, layers: 28 },
  { name: 'ad_int8', instructions: 618_800, layers: 10 },
];

describe.skipIf(!shared || !hasEmulator(rv32))(
  'layers of real networks on RV32 (skipped without ../shared or tools)',
  () => {
    it.each(limits)(
      '$name: same bytes as the reference, in few instructions',
      ({ name, instructions, layers }) => {
        const runs = layerRuns(dropDeadChannels(readGolden(shared!, name).graph), chooseKernel);
        expect(runs.length).toBe(layers);
        const outcomes = runEmulated(runs, rv32);
        const wrong = runs.filter(({ expected }, i) => {
          const { hash, hashOverlapped = expected, keptToItself } = outcomes[i]!;
          return hash !== expected || hashOverlapped !== expected || !keptToItself;
        });
        expect(wrong.map((run) => run.name)).toEqual([]);
        expect(outcomes.reduce((sum, outcome) => sum + outcome.instructions, 0)).toBeLessThan(instructions);
      },
    );
  },
);
