import { rewrite } from './ir/edit.ts';
import { pruneUnused } from './ir/graph.ts';
import { print } from './ir/print.ts';
import type { Graph } from './ir/types.ts';
import { type Stage, verify } from './ir/verify.ts';
import { opRules } from './ops/rules.ts';
import { dropDeadChannels } from './passes/drop-dead-channels.ts';
import { foldFactorsBackward, foldFactorsForward } from './passes/fold-channel-factors.ts';
import { fuseActivations } from './passes/fuse-activations.ts';
import { fuseClamps } from './passes/fuse-clamps.ts';
import { fusePads } from './passes/fuse-pads.ts';
import { inferShapes } from './passes/infer-shapes.ts';
import { mergeDuplicateChannels } from './passes/merge-duplicate-channels.ts';
import { orderOperators } from './passes/order-operators.ts';
import { removeIntegerIdentities } from './passes/remove-integer-identities.ts';
import { simplifyLayout } from './passes/simplify-layout.ts';

/** One step from the imported graph to the one that is quantized or exported. */
export interface Pass {
  readonly name: string;
  /** Why it stands where it stands; shown by `--dump-after` with an unknown name. */
  readonly reason: string;
  /** What the graph must satisfy afterwards. */
  readonly stage: Stage;
  run(graph: Graph): Graph;
}

/** Everything done to a graph before quantization, in order. */
export const passes: readonly Pass[] = [
  { name: 'remove-unused', reason: 'later passes count readers', stage: 'imported', run: pruneUnused },
  { name: 'infer-shapes', reason: 'everything below relies on types', stage: 'typed', run: inferShapes },
  {
    name: 'simplify-layout',
    reason: 'transposes of channels-first models cancel, and operators stand side by side',
    stage: 'typed',
    run: simplifyLayout,
  },
  {
    name: 'fuse-pads',
    reason: 'a convolution pads by itself, without a copy',
    stage: 'typed',
    run: (graph) => rewrite(graph, [fusePads]),
  },
  {
    name: 'fold-channel-factors',
    reason: 'batch normalization costs nothing at inference',
    stage: 'typed',
    run: (graph) => rewrite(graph, [foldFactorsBackward, foldFactorsForward]),
  },
  {
    name: 'fuse-activations',
    reason: 'clamping is free inside the producer, and quantized ranges get tighter',
    stage: 'typed',
    run: (graph) => rewrite(graph, [fuseActivations]),
  },
  {
    name: 'order-operators',
    reason: 'where branches meet, the order decides how much waits in memory',
    stage: 'typed',
    run: orderOperators,
  },
];

/** Everything done to a quantized graph, in order; results stay the same bytes. */
export const integerPasses: readonly Pass[] = [
  {
    name: 'fuse-clamps',
    reason:
      'models that came quantized may have activations of their own, which clamp for free in the producer',
    stage: 'typed',
    run: fuseClamps,
  },
  {
    name: 'remove-integer-identities',
    reason: 'a requantization to the same scale, or a clamp of what is clamped already, only costs time',
    stage: 'typed',
    run: removeIntegerIdentities,
  },
  {
    name: 'drop-dead-channels',
    reason: 'a channel whose weights are all zero costs time and flash for nothing',
    stage: 'typed',
    run: dropDeadChannels,
  },
  {
    name: 'merge-duplicate-channels',
    reason: 'what two channels hold alike needs to be computed once',
    stage: 'typed',
    run: mergeDuplicateChannels,
  },
];

/** Called after each pass with its name and the graph as text, made only when asked for. */
export type DumpAfter = (pass: string, text: () => string) => void;

/** Runs a list of passes and verifies the graph after each. */
export function runPasses(graph: Graph, list: readonly Pass[], dump?: DumpAfter): Graph {
  return list.reduce((current, pass) => {
    const next = pass.run(current);
    verify(next, pass.stage, opRules);
    dump?.(pass.name, () => print(next));
    return next;
  }, graph);
}

/** The imported graph, made ready for quantization or export. */
export function optimize(graph: Graph, dump?: DumpAfter): Graph {
  return runPasses(graph, passes, dump);
}
