import { describe, expect, it } from 'vitest';
import { Names } from '../../converter/ir/names.ts';

describe('free names', () => {
  it('are the wish itself, then the wish with the next free number', () => {
    const names = new Names(['conv', 'conv_1', 'conv_3']);
    expect(['add', 'conv', 'conv', 'conv'].map((base) => names.fresh(base))).toEqual([
      'add',
      'conv_2',
      'conv_4',
      'conv_5',
    ]);
  });

  it('can be taken exactly, once', () => {
    const names = new Names();
    expect([names.take('x'), names.take('x')]).toEqual([true, false]);
    expect(names.fresh('x')).toBe('x_1');
  });

  it('do not grow with names that are already long, and come in linear time', () => {
    const names = new Names();
    const long = 'n'.repeat(5000);
    const made = Array.from({ length: 50_000 }, () => names.fresh(long));
    expect(new Set(made).size).toBe(50_000);
    expect(Math.max(...made.slice(1).map((name) => name.length))).toBeLessThan(210);
  });
});
