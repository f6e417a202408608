import { describe, expect, test } from 'vitest';
import { type FlashEspOptions, type FlashEspReport, flashEsp } from '../../device/esp/flash-esp.ts';
import {
  type FaultKind,
  randomFaults,
  SimulatedLink,
  type SimulatedLinkOptions,
} from '../../device/transport/simulated-link.ts';
import { espImage, SimulatedEsp } from './simulated-esp.ts';

/** TINYML_SOAK=20 runs twenty times as many cases; docs/devices.md shows figures of such a run. */
const SOAK = Number(process.env['TINYML_SOAK'] ?? 1);
const KINDS: readonly FaultKind[] = ['flip', 'drop', 'duplicate', 'insert'];
const KIB = 1024;
const TIMEOUT = { timeout: 120_000 * SOAK };

type Outcome = { readonly report: FlashEspReport } | { readonly code: string };

async function flash(
  link: SimulatedLink,
  image: Uint8Array,
  more: Partial<FlashEspOptions> = {},
): Promise<Outcome> {
  try {
    const options = { chip: 'esp32c3', flashBytes: 4 * 1024 * KIB, ...more } as const;
    return { report: await flashEsp(link, [{ address: 0, data: image }], options) };
  } catch (error) {
    return { code: (error as { code?: string }).code ?? String((error as Error).stack) };
  }
}

const linkTo = (board: SimulatedEsp, options: SimulatedLinkOptions) =>
  new SimulatedLink(board, { latencyMs: 2, ...options });

describe('a link that damages bytes at random, 512 KiB image', () => {
  const cases = [
    { rate: 1e-5, runs: 1, share: 1 },
    { rate: 1e-4, runs: 1, share: 0.99 },
    { rate: 1e-3, runs: 1, share: 0.9 },
  ];
  test.each(cases)('at a rate of $rate', TIMEOUT, async ({ rate, runs, share }) => {
    let done = 0;
    let slowest = 0;
    const lines: string[] = [];
    for (const kind of KINDS) {
      const codes = new Map<string, number>();
      for (let seed = 1; seed <= runs * SOAK; seed++) {
        const board = new SimulatedEsp();
        const link = linkTo(board, { faults: randomFaults(seed, rate, [kind]) });
        const image = espImage(512 * KIB, seed);
        const began = performance.now();
        const outcome = await flash(link, image);
        const code = 'code' in outcome ? outcome.code : 'ok';
        codes.set(code, (codes.get(code) ?? 0) + 1);
        slowest = Math.max(slowest, link.clock.now());
        if (process.env['TRACE'])
          console.log(
            rate,
            kind,
            seed,
            code,
            link.clock.now() | 0,
            (performance.now() - began) | 0,
            'report' in outcome ? outcome.report : '',
          );
        // The one thing that must never happen.
        if (code === 'ok') expect(board.holds(0, image), `${kind}, seed ${seed}: false success`).toBe(true);
        expect([
          'ok',
          'E_FLASH_LINK',
          'E_DEVICE_LOST',
          'E_FLASH_REFUSED',
          'E_VERIFY_FAILED',
          'E_BOARD_SILENT',
          'E_WRONG_CHIP',
        ]).toContain(code);
      }
      done += codes.get('ok') ?? 0;
      lines.push(`${kind}: ${[...codes].map(([code, count]) => `${count} ${code}`).join(', ')}`);
    }
    const all = runs * SOAK * KINDS.length;
    console.log(
      `rate ${rate}, seeds 1 to ${runs * SOAK}: ${done} of ${all} flashed, 0 false successes, ` +
        `slowest ${(slowest / 1000).toFixed(1)} s of simulated time; ${lines.join('; ')}`,
    );
    expect(done / all).toBeGreaterThanOrEqual(share);
  });
});
