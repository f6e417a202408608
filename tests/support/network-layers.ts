import type { KernelChoice } from '../../converter/codegen/choice/kernel.ts';
import { prepareInteger } from '../../converter/evaluate/integer.ts';
import type { Graph } from '../../converter/ir/types.ts';
import { callOf } from '../../converter/ops/call-of.ts';
import { opOf } from '../../converter/ops/index.ts';
import type { KernelCall } from '../../converter/ops/integer/kernel-call.ts';
import { bytesBehind, fnv1a, type KernelRun } from './emulated-kernels.ts';
import { goldenInput } from './golden.ts';

export interface LayerRun extends KernelRun {
  readonly name: string;
  /** Hash of the reference's result. */
  readonly expected: number;
}

/** Every layer that `choose` has a kernel for, on what the layers before it compute from the golden input. */
export function layerRuns(graph: Graph, choose: (call: KernelCall) => KernelChoice): LayerRun[] {
  const input = goldenInput(graph, 1);
  const values = new Map([[graph.inputs[0]!.value, input]]);
  prepareInteger(graph).run([input], {
    onLayer: (node, _index, data) => values.set(node.outputs[0]!, (data as Int8Array).slice()),
  });
  return graph.nodes.flatMap((node) => {
    const [call] = opOf(node.op).kernels!(callOf(graph, node))!;
    const { kernel } = choose(call!);
    if (!kernel) return [];
    const output = values.get(node.outputs[0]!)!;
    const inputs = node.inputs.flatMap((name) => values.get(name) ?? []);
    const result = { outputLength: output.length, expected: fnv1a(output) };
    return [{ name: node.origin, kernel, inputs, behind: bytesBehind(call!, kernel), ...result }];
  });
}
