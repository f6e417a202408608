import { describe, expect, it } from 'vitest';
import { chooseKernel } from '../../converter/codegen/cortex-m/choose-kernel.ts';
import { prepareInteger } from '../../converter/evaluate/integer.ts';
import type { Graph } from '../../converter/ir/types.ts';
import { callOf } from '../../converter/ops/call-of.ts';
import { opOf } from '../../converter/ops/index.ts';
import { dropDeadChannels } from '../../converter/passes/drop-dead-channels.ts';
import { goldenInput, readGolden } from '../support/golden.ts';
import { sharedFolder } from '../support/oracle.ts';
import { fnv1a, hasEmulator, type KernelRun, runEmulated } from './emulated-kernels.ts';

const shared = sharedFolder();

interface LayerRun extends KernelRun {
  readonly name: string;
  readonly expected: number;
}

/** Every layer that has a Cortex-M kernel, on what the layers before it compute. */
function layerRuns(graph: Graph): LayerRun[] {
  const input = goldenInput(graph, 1);
  const values = new Map([[graph.inputs[0]!.value, input]]);
  prepareInteger(graph).run([input], {
    onLayer: (node, _index, data) => values.set(node.outputs[0]!, (data as Int8Array).slice()),
  });
  return graph.nodes.flatMap((node) => {
    const [call] = opOf(node.op).kernels!(callOf(graph, node))!;
    const { kernel } = chooseKernel(call!);
    if (!kernel) return [];
    const output = values.get(node.outputs[0]!)!;
    const inputs = node.inputs.flatMap((name) => values.get(name) ?? []);
    return [
      {
        name: node.origin,
        kernel,
        inputs,
        outputLength: output.length,
        inPlace: true,
        expected: fnv1a(output),
      },
    ];
  });
}

/** Layers with a Cortex-M kernel, which are all but reshapes and softmax, and their instructions plus 1 %. */
const limits = [
  { name: 'kws_int8', instructions: 2_431_000, layers: 11 },
  { name: 'ic_int8', instructions: 10_340_000, layers: 14 },
  { name: 'vww_int8', instructions: 4_215_000, layers: 29 },
  { name: 'ad_int8', instructions: 256_500, layers: 10 },
];

describe.skipIf(!shared || !hasEmulator())(
  'layers of real networks (skipped without ../shared or tools)',
  () => {
    it.each(limits)(
      '$name: same bytes as the reference, in few instructions',
      ({ name, instructions, layers }) => {
        const runs = layerRuns(dropDeadChannels(readGolden(shared!, name).graph));
        expect(runs.length).toBe(layers);
        const outcomes = runEmulated(runs);
        const wrong = runs.filter(({ expected }, i) => {
          const { hash, hashInPlace = expected, keptToItself } = outcomes[i]!;
          return hash !== expected || hashInPlace !== expected || !keptToItself;
        });
        expect(wrong.map((run) => run.name)).toEqual([]);
        expect(outcomes.reduce((sum, outcome) => sum + outcome.instructions, 0)).toBeLessThan(instructions);
      },
    );
  },
);
