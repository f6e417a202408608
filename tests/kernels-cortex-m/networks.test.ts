import { describe, expect, it } from 'vitest';
import { chooseKernel } from '../../converter/codegen/cortex-m/choose-kernel.ts';
import { dropDeadChannels } from '../../converter/passes/drop-dead-channels.ts';
import { cortexM, hasEmulator, runEmulated } from '../support/emulated-kernels.ts';
import { readGolden } from '../support/golden.ts';
import { layerRuns } from '../support/network-layers.ts';
import { sharedFolder } from '../support/oracle.ts';
import { cortexM4 } from './cores.ts';

const shared = sharedFolder();

/** Layers with a Cortex-M kernel, which are all but reshapes and softmax, and their instructions plus 1 %. */
const limits = [
  { name: 'kws_int8', core: 'with FPU', machine: cortexM, instructions: 2_431_000, layers: 11 },
  { name: 'kws_int8', core: 'without FPU', machine: cortexM4, instructions: 2_564_000, layers: 11 },
  { name: 'ic_int8', core: 'with FPU', machine: cortexM, instructions: 10_340_000, layers: 14 },
  { name: 'vww_int8', core: 'with FPU', machine: cortexM, instructions: 4_215_000, layers: 29 },
  { name: 'ad_int8', core: 'with FPU', machine: cortexM, instructions: 256_500, layers: 10 },
];

describe.skipIf(!shared || !hasEmulator())(
  'layers of real networks (skipped without ../shared or tools)',
  () => {
    it.each(limits)(
      '$name $core: same bytes as the reference, in few instructions',
      ({ name, machine, instructions, layers }) => {
        const runs = layerRuns(dropDeadChannels(readGolden(shared!, name).graph), chooseKernel);
        expect(runs.length).toBe(layers);
        const outcomes = runEmulated(runs, machine);
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
