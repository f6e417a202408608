import { describe, expect, it } from 'vitest';
import { type Buffer, type Overlap, planMemory } from '../../converter/codegen/plan-memory.ts';
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

  it('plans a chain of 100,000 layers within seconds', { timeout: 60_000 }, () => {
    const chain = Array.from({ length: 100_000 }, (_, i) => buffer(64 + (i % 7), i - 1, i));
    const started = process.cpuUsage();
    const plan = planMemory(chain, 4);
    // Time of the processor, so that it does not matter what else this machine does.
    expect(process.cpuUsage(started).user).toBeLessThan(5_000_000);
    expect(plan.bytes).toBeLessThanOrEqual(1.5 * plan.lowerBound);
  });

  it('needs nothing for nothing', () => {
    expect(planMemory([], 4).bytes).toBe(0);
  });
});

describe('planMemory with overlaps', () => {
  /** Whether buffers alive in the same step keep apart, or overlap as their rule allows. */
  function isSound(
    buffers: readonly Buffer[],
    overlaps: readonly Overlap[],
    offsets: readonly number[],
  ): boolean {
    return buffers.every((a, i) =>
      buffers.every((b, j) => {
        const together = i < j && a.first <= b.last && b.first <= a.last;
        const apart = offsets[i]! + a.bytes <= offsets[j]! || offsets[j]! + b.bytes <= offsets[i]!;
        if (!together || apart) return true;
        const shared = overlaps.find(
          ({ input, output }) => (input === i && output === j) || (input === j && output === i),
        );
        if (!shared) return false;
        const distance = offsets[shared.input]! - offsets[shared.output]!;
        return 'behind' in shared.rule
          ? distance >= shared.rule.behind
          : distance % shared.rule.multipleOf === 0;
      }),
    );
  }

  /** The least memory of any sound plan: every buffer at every offset. */
  function leastBytes(buffers: readonly Buffer[], overlaps: readonly Overlap[], limit: number): number {
    const offsets: number[] = [];
    let least = limit;
    const place = (i: number, top: number) => {
      if (top >= least) return;
      if (i === buffers.length) {
        least = top;
        return;
      }
      for (let offset = 0; offset + buffers[i]!.bytes < least; offset++) {
        offsets[i] = offset;
        const ends = Math.max(top, offset + buffers[i]!.bytes);
        const known = overlaps.filter(({ input, output }) => input <= i && output <= i);
        if (isSound(buffers.slice(0, i + 1), known, offsets)) place(i + 1, ends);
      }
      offsets.length = i;
    };
    place(0, 0);
    return least;
  }

  function problem(random: Random, rules: boolean) {
    const count = random.integer(2, 5);
    const buffers = Array.from({ length: count }, (_, i) => {
      const last = i + random.integer(0, 2);
      return buffer(random.integer(1, 7), i - 1, last);
    });
    const overlaps = buffers.flatMap((output, j): Overlap[] => {
      const input = buffers.findIndex(({ last }, i) => i < j && last === output.first);
      if (input < 0 || random.integer(0, 3) === 0) return [];
      if (rules && random.integer(0, 2) === 0)
        return [{ input, output: j, rule: { multipleOf: random.integer(1, 3) } }];
      return [{ input, output: j, rule: { behind: random.integer(0, 7) } }];
    });
    return { buffers, overlaps };
  }

  it('needs the least memory possible on 400 small problems: every buffer tried at every offset', () => {
    const random = new Random(20261124);
    let overlapped = 0;
    for (let round = 0; round < 400; round++) {
      const { buffers, overlaps } = problem(random, false);
      const plan = planMemory(buffers, 1, overlaps);
      expect(isSound(buffers, overlaps, plan.offsets)).toBe(true);
      expect(plan.bytes).toBe(leastBytes(buffers, overlaps, plan.bytes));
      expect(plan.bytes).toBeGreaterThanOrEqual(plan.lowerBound);
      if (plan.bytes < planMemory(buffers, 1).bytes) overlapped++;
    }
    expect(overlapped).toBeGreaterThan(100);
  });

  it('is sound with overlaps at multiples, and rarely above the least memory', () => {
    const random = new Random(99);
    let above = 0;
    for (let round = 0; round < 300; round++) {
      const { buffers, overlaps } = problem(random, true);
      const plan = planMemory(buffers, 1, overlaps);
      expect(isSound(buffers, overlaps, plan.offsets)).toBe(true);
      if (plan.bytes > leastBytes(buffers, overlaps, plan.bytes)) above++;
    }
    expect(above).toBeLessThanOrEqual(6);
  });

  it('is sound on long chains', () => {
    const random = new Random(3);
    for (let round = 0; round < 20; round++) {
      const chain = Array.from({ length: 40 }, (_, i) => buffer(random.integer(1, 3000), i - 1, i));
      const overlaps = chain.slice(1).map((_, i): Overlap => {
        const rule = i % 4 === 3 ? { multipleOf: random.integer(1, 64) } : { behind: random.integer(0, 900) };
        return { input: i, output: i + 1, rule };
      });
      const plan = planMemory(chain, 4, overlaps);
      expect(isSound(chain, overlaps, plan.offsets)).toBe(true);
      expect(plan.offsets.every((offset) => offset % 4 === 0)).toBe(true);
    }
  });
});
