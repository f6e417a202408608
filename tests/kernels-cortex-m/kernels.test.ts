import { describe, expect, it } from 'vitest';
import type { KernelChoice } from '../../converter/codegen/choice/kernel.ts';
import { chooseKernel } from '../../converter/codegen/cortex-m/choose-kernel.ts';
import { opOf } from '../../converter/ops/index.ts';
import { Random } from '../kernels/problems.ts';
import {
  bytesBehind,
  fnv1a,
  hasEmulator,
  type KernelOutcome,
  type KernelRun,
  runEmulated,
} from '../support/emulated-kernels.ts';
import {
  addition,
  convolution,
  depthwise,
  expectedResult,
  fullyConnected,
  type Problem,
  pooling,
  type WindowChoice,
} from '../support/kernel-problems.ts';
import { otherCores } from './cores.ts';

const seed = 20261124;

const callOf = ({ op, call }: Problem) => opOf(op).kernels!(call)![0]!;
const choiceOf = (problem: Problem): KernelChoice => chooseKernel(callOf(problem));

/** Channels whose number is not a multiple of 4 take halves away from zero, which no line does on both sides of it. */
const awayFromZero = { channels: 7, depth: 30, outputZero: 3, activation: 'none', factor: 0.003, spread: 1 };

/** More than a line can take. */
const largeScale = { channels: 6, factor: 0.3, spread: 1 };

/** Many channels of one scale. */
const oneScale = { channels: 67, spread: 1, factor: 0.0005 };

/** Two results. */
const pairWindow: WindowChoice = { kernel: [1, 3], strides: [1, 1], dilations: [1, 1], size: [1, 2] };

const squareWindow: WindowChoice = { kernel: [3, 3], strides: [1, 1], dilations: [1, 1], size: [4, 5] };

/** Problems around the bounds of the proofs: sums near 2^23 and 2^30, scales near 1/4 and 1, weights of -128. */
function boundaryProblems(random: Random): Problem[] {
  return [
    ...[508, 512, 513, 516, 520].map((depth) => fullyConnected(random, { depth, style: 'one-sided' })),
    ...[510, 515, 516].map((depth) => fullyConnected(random, { depth, style: 'extreme' })),
    ...[2 ** 22, 2 ** 23 - 2 ** 20, 2 ** 29, 2 ** 30].map((biasReach) => convolution(random, { biasReach })),
    ...[0.24, 0.25, 0.26, 0.49, 0.51, 0.99, 1.01, 3].map((factor) => convolution(random, { factor })),
    ...[2 ** -24, 2 ** -30].map((factor) => fullyConnected(random, { factor })),
    ...[0.24, 0.26, 0.51, 1.01].map((factor) => depthwise(random, { factor })),
    ...Array.from({ length: 4 }, () => convolution(random, { style: 'lowest' })),
    ...(['usual', 'lowest'] as const).flatMap((style) => [
      convolution(random, { window: pairWindow, style, factor: 0.001, biasReach: 100 }),
      convolution(random, { window: pairWindow, style, ...awayFromZero }),
      convolution(random, { style, ...awayFromZero }),
      ...[1, 5].map((rows) =>
        fullyConnected(random, { rows, style, factor: 0.3, channels: 6, depth: 30, spread: 1 }),
      ),
      depthwise(random, { style, factor: 1.3 }),
    ]),
    ...Array.from({ length: 4 }, () => depthwise(random, { outputZero: 3, activation: 'none' })),
    ...(['usual', 'lowest'] as const).flatMap((style) => [
      ...[1, 5].map((rows) => fullyConnected(random, { rows, style, ...oneScale })),
      convolution(random, { style, ...oneScale }),
    ]),
    addition(random, true),
  ];
}

const sparseStyles = ['sparse-blocks', 'half-blocks', 'single-block', 'scattered'] as const;

/** Weights with zeros, in blocks and scattered, for all that follows behind the inner loops. */
function sparseProblems(random: Random): Problem[] {
  return sparseStyles.flatMap((style) => [
    ...Array.from({ length: 5 }, () => convolution(random, { style })),
    ...[16, 64, 333, 1025].map((depth) => fullyConnected(random, { style, depth })),
    ...[1, 6].flatMap((rows) =>
      [largeScale, awayFromZero, oneScale, {}].map((numbers) =>
        fullyConnected(random, { style, rows, ...numbers, depth: 128 }),
      ),
    ),
    ...[pairWindow, squareWindow].flatMap((window) =>
      [largeScale, awayFromZero, oneScale, {}].map((numbers) =>
        convolution(random, { style, window, ...numbers, depth: 33 }),
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
    ...many(190, convolution),
    ...many(150, depthwise),
    ...many(90, fullyConnected),
    ...many(40, (random) => addition(random)),
    ...many(50, pooling),
    ...sparseProblems(random),
  ];
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

/** Forms with the numbers of their windows left out. */
const kindOf = ({ op }: Problem, { form }: KernelChoice) =>
  `${op}: ${form.replace(/\d+x\d+ window in general/, 'other window')}`;

describe.skipIf(!hasEmulator())(
  'Cortex-M kernels (skipped without arm-none-eabi-gcc and qemu-system-arm)',
  () => {
    const problems = allProblems();
    const choices = problems.map(choiceOf);

    it('are chosen in every form', () => {
      const kinds = new Set(problems.map((problem, i) => kindOf(problem, choices[i]!)));
      expect([...kinds]).toEqual(
        expect.arrayContaining([
          'add: one line, all pairs compared',
          'add: portable',
          'averagePool2d: four channels at a time',
          'conv2d: dual weights, exact requantization, single pixels',
          'conv2d: dual weights, exact requantization, tiles of 4',
          'conv2d: dual weights, linear requantization, single pixels',
          'conv2d: dual weights, linear requantization, tiles of 4',
          'conv2d: dual weights, shared linear requantization, tiles of 4',
          'conv2d: plain weights, exact requantization, tiles of 4',
          'conv2d: plain weights, linear requantization, single pixels',
          'conv2d: plain weights, linear requantization, tiles of 4',
          'conv2d: plain weights, shared linear requantization, tiles of 4',
          'conv2d: portable',
          'depthwiseConv2d: 3x3 window, exact requantization',
          'depthwiseConv2d: 3x3 window, linear requantization',
          'depthwiseConv2d: other window, exact requantization',
          'depthwiseConv2d: other window, linear requantization',
          'depthwiseConv2d: portable',
          'fullyConnected: dual weights, exact requantization, single pixels',
          'fullyConnected: dual weights, exact requantization, tiles of 4',
          'fullyConnected: dual weights, linear requantization, single pixels',
          'fullyConnected: dual weights, linear requantization, tiles of 4',
          'fullyConnected: dual weights, shared linear requantization, single pixels',
          'fullyConnected: dual weights, shared linear requantization, tiles of 4',
          'fullyConnected: plain weights, exact requantization, single pixels',
          'fullyConnected: plain weights, exact requantization, tiles of 4',
          'fullyConnected: plain weights, linear requantization, single pixels',
          'fullyConnected: plain weights, linear requantization, tiles of 4',
          'fullyConnected: plain weights, shared linear requantization, single pixels',
          'fullyConnected: plain weights, shared linear requantization, tiles of 4',
          'maxPool2d: four channels at a time',
          ...['dual', 'plain'].flatMap((weights) =>
            ['linear', 'shared linear', 'exact'].flatMap((finish) =>
              ['fullyConnected: tiles of 4', 'fullyConnected: single pixels', 'conv2d: tiles of 4'].map(
                (kind) => kind.replace(': ', `: sparse ${weights} weights, ${finish} requantization, `),
              ),
            ),
          ),
          'conv2d: sparse dual weights, linear requantization, single pixels',
        ]),
      );
    });

    it('say why a faster form was declined', () => {
      for (const { form, declined } of choices) {
        const fastest = /dual weights, (shared )?linear|3x3 window, linear|all pairs|four channels/.test(
          form,
        );
        const slower = declined.filter((reason) => !reason.startsWith('sparse blocks:'));
        expect([form, slower.length > 0]).toEqual([form, !fastest]);
      }
    });

    const runs = problems.flatMap((problem, i) => {
      const { kernel } = choices[i]!;
      if (!kernel) return [];
      const outputLength = problem.call.outputs[0]!.shape.reduce((a, b) => a * b, 1);
      const behind = bytesBehind(callOf(problem), kernel);
      const run: KernelRun = { kernel, inputs: problem.inputs, outputLength, behind, shared: i % 3 === 0 };
      return [{ problem, kind: kindOf(problem, choices[i]!), run }];
    });

    it('give the bytes of the reference on the emulated STM32F405, also over its own input', {
      timeout: 240_000,
    }, () => {
      const outcomes = runEmulated(runs.map(({ run }) => run));
      expect(outcomes.length).toBeGreaterThan(500);
      expect(outcomes.filter(({ hashOverlapped }) => hashOverlapped !== undefined).length).toBeGreaterThan(
        100,
      );
      const differences = runs.map(({ problem }, i) => difference(problem, outcomes[i]!));
      expect(differences.filter((found) => found !== undefined)).toEqual([]);
    });

    it.each(otherCores)('give the bytes of the reference in each form on the emulated %s', (_, machine) => {
      const some = runs.filter(
        ({ kind }, i) => runs.slice(0, i).filter((run) => run.kind === kind).length < 2,
      );
      const outcomes = runEmulated(
        some.map(({ run }) => run),
        machine,
      );
      const differences = some.map(({ problem }, i) => difference(problem, outcomes[i]!));
      expect(differences.filter((found) => found !== undefined)).toEqual([]);
    });
  },
);
