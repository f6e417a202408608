import { TinymlError } from '../../common/tinyml-error.ts';

/** Code of the TinymlError that `work` throws, undefined when it throws nothing; anything else it throws comes through. */
export function codeOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof TinymlError) return error.code;
    throw error;
  }
}

const interesting = [0, 1, 0x7f, 0x80, 0xff];

/** Damaged copies of `bytes`: bits, bytes, 32-bit words, cuts and repeats. The seed in each names it. */
export function* mutations(
  bytes: Uint8Array,
  count: number,
): Generator<{ seed: number; mutant: Uint8Array }> {
  for (let seed = 1; seed <= count; seed++) {
    let state = Math.imul(seed, 2654435761) >>> 0;
    const next = (below: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return (state >>> 8) % Math.max(1, below);
    };
    let mutant = bytes.slice();
    for (let edits = 1 + next(3); edits > 0; edits--) {
      const at = next(mutant.length);
      switch (next(5)) {
        case 0:
          mutant[at]! ^= 1 << next(8);
          break;
        case 1:
          mutant[at] = interesting[next(interesting.length)]!;
          break;
        case 2:
          mutant.fill(interesting[next(interesting.length)]!, at, at + 4);
          break;
        case 3:
          mutant = mutant.slice(0, at);
          break;
        default:
          mutant.copyWithin(at, next(mutant.length), next(mutant.length));
      }
    }
    yield { seed, mutant };
  }
}
