import { type Rule, rewrite } from '../ir/edit.ts';
import type { Graph } from '../ir/types.ts';
import {
  absorbIntoInputs,
  absorbIntoOutputs,
  permuteWeightColumns,
  permuteWeightRows,
} from './absorb-permutations.ts';
import { dropReducedAxes } from './drop-reduced-axes.ts';
import { foldConstants } from './fold-constants.ts';
import { lowerReshapes, mergeReshapes } from './merge-reshapes.ts';
import {
  mergeTransposes,
  pushTransposes,
  raiseTransposes,
  reshapeInsteadOfTranspose,
} from './push-transposes.ts';
import { removeIdentities } from './remove-identities.ts';

const movement: readonly Rule[] = [
  dropReducedAxes,
  removeIdentities,
  foldConstants,
  mergeTransposes,
  mergeReshapes,
];

/** Rounds of pushing and absorbing after which a graph is taken as it is; real networks need two. */
const mostRounds = 8;

/**
 * Moves transposes through the graph until they cancel, meet constants, or reach the graph's inputs and outputs.
 * Those that are left are real and are reported.
 */
export function simplifyLayout(graph: Graph): Graph {
  let current = graph;
  for (let round = 0; round < mostRounds; round++) {
    const pushed = rewrite(current, [
      ...movement,
      pushTransposes,
      lowerReshapes,
      permuteWeightColumns,
      permuteWeightRows,
    ]);
    const next = rewrite(pushed, [
      ...movement,
      absorbIntoInputs,
      absorbIntoOutputs,
      raiseTransposes,
      reshapeInsteadOfTranspose,
    ]);
    if (next === current) return current;
    current = next;
  }
  return current;
}

/** Transposes that the layout algebra could not remove. */
export function transposesLeft(graph: Graph): number {
  return graph.nodes.filter((node) => node.op === 'transpose').length;
}
