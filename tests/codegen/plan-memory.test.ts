import { describe, expect, it } from 'vitest';
import { type Buffer, planMemory } from '../../converter/codegen/plan-memory.ts';
import { Random } from '../kernels/problems.ts';

const buffer = (bytes: number, first: number, last: number): Buffer => ({ bytes, first, last });

function overlapping(buffers: readonly Buffer[], offsets: readonly number[]): string[] {
  return buffers.flatMap((a, i) =>
    buffers.slice(i + 1).flatMap((b, k) => {
      const j = i + 1 + k;
      const together = a.first <= b.last && b.first <= a.last;
      const apart = offsets[i]! + a.bytes <= offsets[j]! || offsets[j]! + b.bytes <= offsets[i]!;
      return together && !apart ? [`${i} and ${j}`] : [];
    }),
  );
}

describe('planMemory', () => {
  it('gives a chain of layers the two largest neighbours', () => {
    const chain = [buffer(100, -1, 0), buffer(400, 0, 1), buffer(300, 1, 2), buffer(8, 2, 3)];
    const plan = planMemory(chain, 4);
    expect(plan.bytes).toBe(700);
    expect(plan.lowerBound).toBe(700);
    expect(plan.peakStep).toBe(1);
  });

  it('finds the plan that greedy placement by size misses', () => {
    // Biggest first leaves a hole too small for the last one; the best order fills memory without holes.
    const buffers = [
      buffer(36, 2, 3),
      buffer(28, -1, 0),
      buffer(20, 0, 1),
      buffer(20, 1, 2),
      buffer(16, 3, 4),
    ];
    const plan = planMemory(buffers, 4);
    expect(overlapping(buffers, plan.offsets)).toEqual([]);
    expect(plan.bytes).toBe(plan.lowerBound);
  });

  it('never overlaps live buffers and respects alignment', () => {
    const random = new Random(11);
    for (let round = 0; round < 40; round++) {
      const buffers = Array.from({ length: random.integer(1, 30) }, () => {
        const first = random.integer(-1, 20);
        return buffer(random.integer(1, 5000), first, first + random.integer(0, 6));
      });
      const plan = planMemory(buffers, 16);
      expect(overlapping(buffers, plan.offsets)).toEqual([]);
      expect(plan.offsets.every((offset) => offset % 16 === 0)).toBe(true);
      expect(plan.bytes).toBeLessThanOrEqual(Math.ceil(plan.lowerBound * 1.25));
      expect(planMemory(buffers, 16)).toEqual(plan);
    }
  });

  it('plans a chain of 100,000 layers within seconds', () => {
    const chain = Array.from({ length: 100_000 }, (_, i) => buffer(64 + (i % 7), i - 1, i));
    const started = performance.now();
    const plan = planMemory(chain, 4);
    expect(performance.now() - started).toBeLessThan(5000);
    expect(plan.bytes).toBeLessThanOrEqual(1.5 * plan.lowerBound);
  });

  it('needs nothing for nothing', () => {
    expect(planMemory([], 4).bytes).toBe(0);
  });
});
