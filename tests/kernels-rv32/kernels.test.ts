import { describe, expect, it } from 'vitest';
import type { KernelChoice, MachineKernel } from '../../converter/codegen/choice/kernel.ts';
import { chooseKernel } from '../../converter/codegen/rv32/choose-kernel.ts';
import { opOf } from '../../converter/ops/index.ts';
import { Random } from '../kernels/problems.ts';
import {
  bytesBehind,
  fnv1a,
  hasEmulator,
  type KernelOutcome,
  runEmulated,
} from '../support/emulated-kernels.ts';
import {
  addition,
  convolution,
  depthwise,
  expectedResult,
  fullyConnected,
  type Problem,
  weightedLayer,
} from '../support/kernel-problems.ts';
import { rv32 } from './machine.ts';

const seed = 20261125;

const callOf = ({ op, call }: Problem) => opOf(op).kernels!(call)![0]!;
const choiceOf = (problem: Problem): KernelChoice => chooseKernel(callOf(problem));

/** A fully connected layer of so many weights that four to a word are worth it. */
function wideLayer(
  random: Random,
  style: 'small' | 'growing' | 'usual' | 'extreme' | 'lowest',
  factor?: number,
) {
  const [depth, units] = [random.integer(190, 260), random.integer(90, 130)];
  const shape = { input: [random.integer(1, 3), depth], weights: [units, depth], axis: 0, attrs: {} };
  const numbers = { style, biasReach: 20_000, ...(factor === undefined ? {} : { factor }) };
  return weightedLayer(random, { op: 'fullyConnected', ...shape }, numbers);
}

/** Problems around the bounds of the proofs: sums near 2^30, scales near 1/4 and 1, weights of -128. */
function boundaryProblems(random: Random): Problem[] {
  const many = (count: number, make: () => Problem) => Array.from({ length: count }, make);
  return [
    ...[2 ** 22, 2 ** 29, 2 ** 30, 2 ** 30 + 2 ** 29].map((biasReach) => convolution(random, { biasReach })),
    ...[2 ** 29, 2 ** 30].map((biasReach) => depthwise(random, { biasReach })),
    ...[0.24, 0.25, 0.26, 0.49, 0.51, 0.99, 1.01, 3].map((factor) => convolution(random, { factor })),
    ...[2 ** -24, 2 ** -30].map((factor) => fullyConnected(random, { factor })),
    ...[0.24, 0.26, 0.51, 1.01].map((factor) => depthwise(random, { factor })),
    ...many(12, () => convolution(random, { style: 'lowest' })),
    ...many(6, () => fullyConnected(random, { style: 'lowest' })),
    ...many(8, () => depthwise(random, { style: 'lowest' })),
    ...many(6, () => depthwise(random, { style: 'extreme' })),
    ...many(6, () => fullyConnected(random, { outputZero: 3, activation: 'none' })),
    ...many(6, () => depthwise(random, { outputZero: 3, activation: 'none' })),
    ...many(4, () => wideLayer(random, 'small')),
    ...many(8, () => wideLayer(random, 'growing')),
    ...many(4, () => wideLayer(random, 'usual')),
    ...many(2, () => wideLayer(random, 'extreme')),
    wideLayer(random, 'lowest'),
    ...[0.26, 0.51].map((factor) => wideLayer(random, 'growing', factor)),
    addition(random, true),
  ];
}

const sparseStyles = ['sparse-blocks', 'half-blocks', 'single-block', 'scattered', 'idle'] as const;

/** Weights with zeros, in blocks and scattered. */
function sparseProblems(random: Random): Problem[] {
  return sparseStyles.flatMap((style) => [
    ...Array.from({ length: 6 }, () => convolution(random, { style })),
    ...[8, 20, 64, 333, 4200].map((depth) => fullyConnected(random, { style, depth, channels: 5 })),
    ...[1, 6].flatMap((rows) =>
      [{ factor: 0.3, spread: 1 }, {}].map((numbers) =>
        fullyConnected(random, { style, rows, ...numbers, depth: 132 }),
      ),
    ),
  ]);
}

function allProblems(): Problem[] {
  const random = new Random(seed);
  const many = (count: number, make: (random: Random) => Problem) =>
    Array.from({ length: count }, () => make(random));
  return [
    ...boundaryProblems(random),
    ...many(280, convolution),
    ...many(240, depthwise),
    ...many(140, fullyConnected),
    ...many(40, (random) => addition(random)),
    ...sparseProblems(random),
  ];
}

interface LayerParams {
  readonly depth: number;
  readonly rounds: number;
  readonly half_round: number;
}

const layerOf = ({ params }: MachineKernel) => params['layer'] as unknown as LayerParams;
const bytesOf = ({ stream }: MachineKernel) => new Int8Array(stream!.buffer);

/** How the rounds of the first pair of channels are grouped, after 16 bytes of start values (tml_rv_gemm.h). */
function packedCodes(kernel: MachineKernel): number[] {
  const { rounds, half_round } = layerOf(kernel);
  const bytes = bytesOf(kernel);
  return Array.from({ length: rounds / 64 + half_round }, (_, i) => bytes[16 + 17 * i]!);
}

/** The same of all channels, eight together, after 32 bytes of start values (tml_rv_quads.h). */
function quadCodes(kernel: MachineKernel): number[] {
  const { depth, rounds } = layerOf(kernel);
  const bytes = bytesOf(kernel);
  const blockBytes = bytes.length / (depth / 8);
  return Array.from({ length: depth / 8 }, (_, block) => {
    const from = block * blockBytes + 32;
    return [...bytes.subarray(from, from + rounds / 16)];
  }).flat();
}

function difference(
  problem: Problem,
  { hash, hashOverlapped, keptToItself }: KernelOutcome,
): string | undefined {
  const expected = fnv1a(expectedResult(problem));
  if (hash !== expected) return `${problem.name}: wrong result`;
  if (hashOverlapped !== undefined && hashOverlapped !== expected)
    return `${problem.name}: wrong result in place`;
  return keptToItself ? undefined : `${problem.name}: wrote beyond its memory`;
}

describe.skipIf(!hasEmulator(rv32))(
  'RV32 kernels (skipped without riscv64-unknown-elf-gcc and qemu-system-riscv32)',
  () => {
    const problems = allProblems();
    const choices = problems.map(choiceOf);

    it('are chosen in every form', () => {
      const forms = new Set(
        problems.map(
          ({ op }, i) => `${op}: ${choices[i]!.form.replace(/(?!3x3)\d+x\d+ window/, 'other window')}`,
        ),
      );
      expect([...forms].sort()).toEqual([
        'add: one line, all pairs compared',
        'add: portable',
        'conv2d: packed, exact requantization',
        'conv2d: packed, linear requantization',
        'conv2d: plain, exact requantization',
        'conv2d: plain, linear requantization',
        'conv2d: portable',
        'conv2d: sparse packed, linear requantization',
        'depthwiseConv2d: 3x3 window, packed, exact requantization',
        'depthwiseConv2d: 3x3 window, packed, linear requantization',
        'depthwiseConv2d: other window, packed, exact requantization',
        'depthwiseConv2d: other window, packed, linear requantization',
        'depthwiseConv2d: portable',
        'fullyConnected: four weights to a word, exact requantization',
        'fullyConnected: four weights to a word, linear requantization',
        'fullyConnected: packed, exact requantization',
        'fullyConnected: packed, linear requantization',
        'fullyConnected: plain, exact requantization',
        'fullyConnected: plain, linear requantization',
        'fullyConnected: portable',
        'fullyConnected: sparse packed, exact requantization',
        'fullyConnected: sparse packed, linear requantization',
      ]);
      const functions = new Set(
        choices.flatMap(({ kernel }) => kernel?.functions.flatMap((made) => made?.name ?? []) ?? []),
      );
      for (const grouping of ['channel3_3', 'channel3_5', 'channel3_9', 'channel_any_2', 'channel_any_1'])
        expect([...functions].filter((name) => name.includes(grouping))).not.toEqual([]);
    });

    it('group weights in every way', () => {
      const packed = new Set<number>();
      const quads = new Set<number>();
      for (const { kernel, form } of choices) {
        if (form.startsWith('packed')) for (const code of packedCodes(kernel!)) packed.add(code);
        if (form.startsWith('four')) for (const code of quadCodes(kernel!)) quads.add(code);
      }
      expect([...packed].sort()).toEqual([-1, 0, 1]);
      expect([...quads].sort()).toEqual([0, 4, 5, 6, 7]);
    });

    it('say why a faster form was declined', () => {
      for (const { form, declined } of choices) {
        const slower = declined.filter((reason) => !reason.startsWith('sparse:'));
        expect([form, slower.length > 0]).toEqual([form, !/(packed|to a word), linear|all pairs/.test(form)]);
      }
    });

    it('give the bytes of the reference on the emulated core, also over its own input', {
      timeout: 240_000,
    }, () => {
      const runs = problems.flatMap((problem, i) => {
        const { kernel } = choices[i]!;
        const { inputs } = problem;
        const outputLength = problem.call.outputs[0]!.shape.reduce((a, b) => a * b, 1);
        if (!kernel) return [];
        const behind = bytesBehind(callOf(problem), kernel);
        return [{ problem, run: { kernel, inputs, outputLength, behind } }];
      });
      const outcomes = runEmulated(
        runs.map(({ run }) => run),
        rv32,
      );
      expect(outcomes.length).toBeGreaterThan(500);
      expect(outcomes.filter(({ hashOverlapped }) => hashOverlapped !== undefined).length).toBeGreaterThan(
        100,
      );
      const differences = runs.map(({ problem }, i) => difference(problem, outcomes[i]!));
      expect(differences.filter((found) => found !== undefined)).toEqual([]);
    });
  },
);
