import { describe, expect, test } from 'vitest';
import { type FlashReport, flashStm32 } from '../../device/stm32-bootloader/flash-stm32.ts';
import {
  type FaultKind,
  type FaultModel,
  randomFaults,
  SimulatedLink,
  seededRandom,
} from '../../device/transport/simulated-link.ts';
import { f405, imageOf, SimulatedStm32 } from './simulated-stm32.ts';

/** TINYML_SOAK=20 runs twenty times as many cases; docs/devices.md shows figures of such a run. */
const SOAK = Number(process.env['TINYML_SOAK'] ?? 1);
/** TINYML_IMAGE_KIB=512 damages the flashing of a larger image; scripts/flash-faults.mjs does so. */
const IMAGE_KIB = Number(process.env['TINYML_IMAGE_KIB'] ?? 64);
const KINDS: readonly FaultKind[] = ['flip', 'drop', 'duplicate', 'insert'];
const KIB = 1024;
const TIMEOUT = { timeout: 60_000 * SOAK * Math.max(1, IMAGE_KIB / 64) };

type Outcome = { readonly report: FlashReport } | { readonly code: string };

async function flash(link: SimulatedLink, image: Uint8Array): Promise<Outcome> {
  try {
    return { report: await flashStm32(link, image, { target: f405 }) };
  } catch (error) {
    return { code: (error as { code?: string }).code ?? String(error) };
  }
}

describe(`a link that damages bytes at random, ${IMAGE_KIB} KiB image`, () => {
  const cases = [
    { rate: 1e-5, runs: 5, share: 1 },
    { rate: 1e-4, runs: 8, share: 0.99 },
    { rate: 1e-3, runs: 10, share: 0.9 },
  ];
  test.each(cases)('at a rate of $rate', TIMEOUT, async ({ rate, runs, share }) => {
    let done = 0;
    let slowest = 0;
    const lines: string[] = [];
    for (const kind of KINDS) {
      const codes = new Map<string, number>();
      for (let seed = 1; seed <= runs * SOAK; seed++) {
        const board = new SimulatedStm32();
        const link = new SimulatedLink(board, { faults: randomFaults(seed, rate, [kind]), latencyMs: 2 });
        const image = imageOf(IMAGE_KIB * KIB, seed);
        const outcome = await flash(link, image);
        const code = 'code' in outcome ? outcome.code : 'ok';
        codes.set(code, (codes.get(code) ?? 0) + 1);
        slowest = Math.max(slowest, link.clock.now());
        // The one thing that must never happen.
        if (code === 'ok') expect(board.holds(image), `${kind}, seed ${seed}: false success`).toBe(true);
        expect(['ok', 'E_FLASH_LINK', 'E_DEVICE_LOST', 'E_FLASH_REFUSED', 'E_VERIFY_FAILED']).toContain(code);
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
    // A larger image lies in larger sectors, which bad luck makes us write again.
    expect(slowest).toBeLessThan(IMAGE_KIB > 64 ? 1_200 * IMAGE_KIB : 62_000);
  });
});

test(
  'pauses on the line of up to two seconds, after which all answers come at once, do no harm',
  TIMEOUT,
  async () => {
    let done = 0;
    let cases = 0;
    const kinds = [
      { ms: 30, rate: 0.02 },
      { ms: 120, rate: 0.02 },
      { ms: 500, rate: 0.02 },
      { ms: 2_000, rate: 0.003 },
    ];
    for (const { ms, rate } of kinds) {
      for (let seed = 1; seed <= 4 * SOAK; seed++) {
        const board = new SimulatedStm32();
        const image = imageOf(16 * KIB, seed);
        const link = new SimulatedLink(board, { pauses: { seed, rate, ms }, latencyMs: 2 });
        const outcome = await flash(link, image);
        if ('report' in outcome) expect(board.holds(image), `${ms} ms, seed ${seed}`).toBe(true);
        if ('report' in outcome) done++;
        cases++;
      }
    }
    console.log(
      `pauses of 30 to 500 ms after 2 %, of 2 s after 0.3 % of the answers, seeds 1 to ${4 * SOAK}: ${done} of ${cases} flashed`,
    );
    expect(done).toBe(cases);
  },
);

/** Exactly one byte in one direction suffers. */
function faultAt(position: number, fault: (byte: number) => readonly number[]): FaultModel {
  let at = 0;
  return (byte) => (at++ === position ? fault(byte) : [byte]);
}

const SINGLE_FAULTS: readonly (readonly [string, (byte: number) => readonly number[]])[] = [
  ['lost', () => []],
  ['damaged', (byte) => [byte ^ 0x20]],
  ['doubled', (byte) => [byte, byte]],
];

test('one fault at any place of a flash of 2 KiB does no harm', TIMEOUT, async () => {
  const image = imageOf(2 * KIB, 7);
  const clean = new SimulatedLink(new SimulatedStm32());
  await flash(clean, image);
  const step = SOAK > 1 ? 1 : 11;
  let cases = 0;
  for (const [name, fault] of SINGLE_FAULTS) {
    for (let position = 0; position < clean.bytesOnWire; position += step) {
      const board = new SimulatedStm32();
      const outcome = await flash(new SimulatedLink(board, { faults: faultAt(position, fault) }), image);
      expect(outcome, `byte ${position} ${name}`).toHaveProperty('report');
      expect(board.holds(image), `byte ${position} ${name}`).toBe(true);
      cases++;
    }
  }
  console.log(
    `single faults: ${cases} of ${cases} flashed (${clean.bytesOnWire} bytes on the wire, every ${step}.)`,
  );
});

describe('a link that is cut', () => {
  test(
    'at any byte of a flash of 4 KiB: device lost, nothing starts, the next run finishes',
    TIMEOUT,
    async () => {
      const [old, image] = [imageOf(4 * KIB, 1), imageOf(4 * KIB, 2)];
      const whole = new SimulatedStm32();
      const clean = new SimulatedLink(whole);
      whole.chip.flash.set(old);
      await flash(clean, image);
      const step = SOAK > 1 ? 1 : 17;
      let cases = 0;
      for (let cut = 1; cut < clean.bytesOnWire; cut += step) {
        const board = new SimulatedStm32();
        board.chip.flash.set(old);
        const outcome = await flash(new SimulatedLink(board, { cutAfterBytes: cut }), image);
        expect(outcome, `cut after ${cut} bytes`).toEqual({ code: 'E_DEVICE_LOST' });
        // Either the old image is whole, or no vector table is there, or the new image is whole.
        expect(board.holds(old) || !board.boots || board.holds(image), `cut after ${cut} bytes`).toBe(true);
        board.restart('flash');
        expect(await flash(new SimulatedLink(board), image), `after a cut at ${cut}`).toHaveProperty(
          'report',
        );
        expect(board.holds(image)).toBe(true);
        cases++;
      }
      console.log(
        `cuts: ${cases} of ${cases} reported and taken up again (${clean.bytesOnWire} bytes, every ${step}.)`,
      );
    },
  );

  test('at a random byte of 256 KiB: the next run writes only what is missing', {
    timeout: 120_000,
  }, async () => {
    const image = imageOf(256 * KIB, 3);
    const random = seededRandom(11);
    const runs = 4 * SOAK;
    let saved = 0;
    for (let i = 0; i < runs; i++) {
      const share = 0.1 + 0.8 * random();
      const board = new SimulatedStm32();
      // Writing takes 271 bytes a block on the wire, connecting and looking about 700.
      const cut = Math.floor(700 + share * 1024 * 280);
      expect(await flash(new SimulatedLink(board, { cutAfterBytes: cut }), image)).toEqual({
        code: 'E_DEVICE_LOST',
      });
      const there = board.chip.flash
        .subarray(0, image.length)
        .filter((byte, at) => byte === image[at]).length;
      expect(board.boots).toBe(false);
      board.restart('flash');
      const outcome = await flash(new SimulatedLink(board), image);
      if (!('report' in outcome)) throw new Error(outcome.code);
      expect(board.holds(image)).toBe(true);
      expect(outcome.report.sectorsErased).toBe(0);
      expect(outcome.report.bytesWritten).toBeLessThanOrEqual(
        image.length - there + 8 * 256 + image.length / 200,
      );
      saved += outcome.report.bytesKept / image.length;
    }
    console.log(
      `resume, seed 11: ${runs} of ${runs}; kept on average ${((saved / runs) * 100).toFixed(0)} % of the image`,
    );
  });

  test('at 90 % of the writing: at least 80 % is saved', async () => {
    const image = imageOf(128 * KIB, 5);
    const board = new SimulatedStm32();
    await flash(new SimulatedLink(board, { cutAfterBytes: 700 + Math.floor(0.9 * 512 * 270) }), image);
    board.restart('flash');
    const outcome = await flash(new SimulatedLink(board), image);
    expect(outcome).toMatchObject({ report: { sectorsErased: 0 } });
    expect('report' in outcome && outcome.report.bytesKept / image.length).toBeGreaterThan(0.8);
  });
});
