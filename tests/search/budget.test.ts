import { describe, expect, test } from 'vitest';
import type { TinymlError } from '../../common/tinyml-error.ts';
import { bestOf, frontOf } from '../../converter/search/choose-best.ts';
import { type Goal, type Measures, objectivesOf, violationOf } from '../../converter/search/measures.ts';
import { parseBudget } from '../../converter/search/parse-budget.ts';

function refused(text: string): TinymlError {
  try {
    parseBudget(text);
  } catch (error) {
    return error as TinymlError;
  }
  throw new Error(`${text} was accepted`);
}

describe('budgets', () => {
  test('are read with units', () => {
    expect(parseBudget('accuracy>=0.97,latency<5ms,ram<20k')).toEqual([
      { measure: 'accuracy', value: 0.97 },
      { measure: 'latency', value: 5000 },
      { measure: 'ram', value: 20_480 },
    ]);
    const values = (text: string) => parseBudget(text).map(({ value }) => value);
    expect(values('accuracy>=97%, latency<=800us, flash<64KiB, instructions<120k')).toEqual([
      0.97, 800, 65_536, 120_000,
    ]);
    expect(values('ram<20kB,flash<0.5M,auc>0.9')).toEqual([20_000, 524_288, 0.9]);
    expect(values('mse<1e-3')).toEqual([0.001]);
  });

  test('need no quotes with =', () => {
    expect(parseBudget('accuracy=97%,latency=5ms')).toEqual(parseBudget('accuracy>=0.97,latency<5ms'));
  });

  test.each([
    ['accuracy', 'quote'],
    ['accurcy>=0.9', 'did you mean accuracy?'],
    ['latency<5', 'us, ms, s'],
    ['accuracy<0.9', 'lower limit'],
    ['ram>20k', 'upper limit'],
    ['accuracy>=97', 'at most 1, or 100%'],
    ['latency<5parsecs', 'us, ms, s'],
    ['ram<20k,ram<30k', 'twice'],
    ['mse<3%', 'no unit'],
    [',', 'no limit'],
    ['ram<-5', 'a number'],
  ])('%s is refused with what to do: %s', (text, wanted) => {
    const { code, message, measure, hint } = refused(text);
    expect(code).toBe('E_BUDGET');
    expect([message, ...measure, hint].join('\n')).toContain(wanted);
  });
});

const measures = (quality: number, latency: number, ram: number, flash: number): Measures => {
  return { quality, latency, instructions: latency * 168, ram, flash };
};

describe('what a search is for', () => {
  test('is what no limit speaks of; latency and instructions are one thing', () => {
    const goal = (text: string): Goal => ({ quality: 'accuracy', limits: parseBudget(text) });
    expect(objectivesOf(goal('accuracy>=0.9,instructions<1k'))).toEqual(['ram', 'flash']);
    expect(objectivesOf(goal('ram<20k'))).toEqual(['accuracy', 'latency', 'flash']);
    expect(objectivesOf(goal('accuracy>=0.9,latency<1ms,ram<1k,flash<1k'))).toHaveLength(4);
  });

  const trials = [
    measures(0.97, 700, 4000, 14_000),
    measures(0.96, 400, 4000, 10_000),
    measures(0.96, 500, 4000, 10_000),
    measures(0.9, 100, 2000, 5000),
  ];

  test('the front holds what no other beats, the best follows from the limits', () => {
    const free: Goal = { quality: 'accuracy', limits: [] };
    expect(frontOf(trials, free)).toEqual([3, 1, 0]);
    expect(bestOf(trials, free)).toBe(0);
    const limited: Goal = { quality: 'accuracy', limits: parseBudget('accuracy>=0.95') };
    expect(bestOf(trials, limited)).toBe(1);
    expect(frontOf(trials, limited)).toEqual([1, 0]);
  });

  test('where none keeps the limits, the nearest is taken', () => {
    const goal: Goal = { quality: 'accuracy', limits: parseBudget('accuracy>=0.99,latency<350us') };
    expect(bestOf(trials, goal)).toBe(3);
    expect(violationOf(trials[1]!, goal.limits)).toBeCloseTo(0.03 / 0.99 + 50 / 350);
  });
});
