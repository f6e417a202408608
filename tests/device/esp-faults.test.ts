import { describe, expect, test } from 'vitest';
import { eraseEsp } from '../../device/esp/erase-esp.ts';
import { type FlashEspOptions, type FlashEspReport, flashEsp } from '../../device/esp/flash-esp.ts';
import { readEsp } from '../../device/esp/read-esp.ts';
import {
  type FaultKind,
  type FaultModel,
  randomFaults,
  SimulatedLink,
  type SimulatedLinkOptions,
  seededRandom,
} from '../../device/transport/simulated-link.ts';
import { espImage, SimulatedEsp } from './simulated-esp.ts';

/** TINYML_SOAK=25 runs twenty-five times as many cases; docs/devices.md shows figures of such a run. */
const SOAK = Number(process.env['TINYML_SOAK'] ?? 1);
const KINDS: readonly FaultKind[] = ['flip', 'drop', 'duplicate', 'insert'];
const KIB = 1024;
const TIMEOUT = { timeout: 120_000 * SOAK };
/** How a flash may end that did not work; anything else is a bug. */
const HONEST = [
  'ok',
  'E_FLASH_LINK',
  'E_DEVICE_LOST',
  'E_FLASH_REFUSED',
  'E_VERIFY_FAILED',
  'E_BOARD_SILENT',
];

type Outcome = { readonly report: FlashEspReport } | { readonly code: string };
const codeOf = (outcome: Outcome): string => ('code' in outcome ? outcome.code : 'ok');

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
    { rate: 1e-5, runs: 1, share: 1, stub: true },
    { rate: 1e-4, runs: 1, share: 0.99, stub: true },
    { rate: 1e-3, runs: 1, share: 0.9, stub: true },
    { rate: 1e-4, runs: 1, share: 0.99, stub: false },
  ];
  test.each(cases)('at a rate of $rate, stub $stub', TIMEOUT, async ({ rate, runs, share, stub }) => {
    let done = 0;
    let slowest = 0;
    const lines: string[] = [];
    for (const kind of KINDS) {
      const codes = new Map<string, number>();
      for (let seed = 1; seed <= runs * SOAK; seed++) {
        const board = new SimulatedEsp();
        const link = linkTo(board, { faults: randomFaults(seed, rate, [kind]) });
        const image = espImage(512 * KIB, seed);
        const code = codeOf(await flash(link, image, { stub }));
        codes.set(code, (codes.get(code) ?? 0) + 1);
        slowest = Math.max(slowest, link.clock.now());
        // The one thing that must never happen.
        if (code === 'ok') expect(board.holds(0, image), `${kind}, seed ${seed}: false success`).toBe(true);
        expect(HONEST).toContain(code);
      }
      done += codes.get('ok') ?? 0;
      lines.push(`${kind}: ${[...codes].map(([code, count]) => `${count} ${code}`).join(', ')}`);
    }
    const all = runs * SOAK * KINDS.length;
    console.log(
      `rate ${rate}, ${stub ? 'stub' : 'ROM'}, seeds 1 to ${runs * SOAK}: ${done} of ${all} flashed, ` +
        `0 false successes, slowest ${(slowest / 1000).toFixed(1)} s of simulated time; ${lines.join('; ')}`,
    );
    expect(done / all).toBeGreaterThanOrEqual(share);
  });

  // In these runs the loader has to be started anew while a run of sectors is on its way at once.
  test.each([16, 17])('goes on after a new start of the loader, seed %i', TIMEOUT, async (seed) => {
    const board = new SimulatedEsp();
    const link = linkTo(board, { faults: randomFaults(seed, 1e-3, ['insert']) });
    const image = espImage(512 * KIB, seed);
    expect(codeOf(await flash(link, image))).toBe('ok');
    expect(board.holds(0, image)).toBe(true);
  });
});

test('reading and erasing get through a link that damages one byte in a thousand', TIMEOUT, async () => {
  for (let seed = 1; seed <= 2 * SOAK; seed++) {
    const board = new SimulatedEsp({ flashBytes: 1024 * KIB });
    board.flash.bytes.set(espImage(64 * KIB, seed), 0x4000);
    const faulty = () => linkTo(board, { faults: randomFaults(seed, 1e-3, KINDS) });
    const range = { address: 0x4000, bytes: 64 * KIB };
    const read = await readEsp(faulty(), { range });
    expect(Buffer.compare(read, board.flash.read(range.address, range.bytes)), `seed ${seed}`).toBe(0);
    await eraseEsp(faulty(), { chip: 'esp32c3', flashBytes: 1024 * KIB });
    expect(
      board.flash.bytes.every((byte) => byte === 0xff),
      `seed ${seed}`,
    ).toBe(true);
  }
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
      for (let seed = 1; seed <= 2 * SOAK; seed++) {
        const board = new SimulatedEsp();
        const image = espImage(128 * KIB, seed);
        const outcome = await flash(linkTo(board, { pauses: { seed, rate, ms } }), image);
        if ('report' in outcome) {
          expect(board.holds(0, image), `${ms} ms, seed ${seed}`).toBe(true);
          done++;
        } else console.log(`${ms} ms, seed ${seed}: ${outcome.code}`);
        cases++;
      }
    }
    console.log(
      `pauses of 30 to 500 ms after 2 %, of 2 s after 0.3 % of the answers, seeds 1 to ${2 * SOAK}: ${done} of ${cases} flashed`,
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

test.each([true, false])(
  'one fault at any place of a flash of 8 KiB does no harm, stub %s',
  TIMEOUT,
  async (stub) => {
    const image = espImage(8 * KIB, 7);
    const clean = linkTo(new SimulatedEsp(), {});
    await flash(clean, image, { stub });
    const step = SOAK > 1 ? 7 : 211;
    let cases = 0;
    for (const [name, fault] of SINGLE_FAULTS) {
      for (let position = 0; position < clean.bytesOnWire; position += step) {
        const board = new SimulatedEsp();
        const outcome = await flash(linkTo(board, { faults: faultAt(position, fault) }), image, { stub });
        expect(codeOf(outcome), `byte ${position} ${name}`).toBe('ok');
        expect(board.holds(0, image), `byte ${position} ${name}`).toBe(true);
        cases++;
      }
    }
    console.log(
      `single faults, ${stub ? 'stub' : 'ROM'}: ${cases} of ${cases} flashed (${clean.bytesOnWire} bytes on the wire, every ${step}.)`,
    );
  },
);

describe('a link that is cut', () => {
  test.each([true, false])(
    'at random points of 256 KiB: device lost, nothing starts half, the next run finishes; stub %s',
    TIMEOUT,
    async (stub) => {
      const [old, image] = [espImage(200 * KIB, 1), espImage(256 * KIB, 2)];
      const whole = new SimulatedEsp();
      whole.flash.program(0, old);
      const clean = linkTo(whole, {});
      await flash(clean, image, { stub });
      const random = seededRandom(17);
      const cuts = 8 * SOAK;
      let saved = 0;
      for (let i = 0; i < cuts; i++) {
        const cut = 1 + Math.floor(random() * (clean.bytesOnWire - 1));
        const board = new SimulatedEsp();
        board.flash.program(0, old);
        const outcome = await flash(linkTo(board, { cutAfterBytes: cut }), image, { stub });
        expect(codeOf(outcome), `cut after ${cut} bytes`).toBe('E_DEVICE_LOST');
        board.powerUp();
        // Either the old image is whole, or the first sector is missing, or it was being written and all else is new:
        // the ROM refuses that by the image's checksum.
        const starts = board.starts.at(-1);
        const restIsNew = board.holds(4096, image.subarray(4096));
        expect(board.holds(0, old) || !starts || restIsNew, `cut after ${cut}`).toBe(true);
        const next = await flash(linkTo(board, {}), image, { stub });
        expect(codeOf(next), `after a cut at ${cut}`).toBe('ok');
        expect(board.holds(0, image)).toBe(true);
        if ('report' in next) saved += next.report.bytesKept / image.length;
      }
      console.log(
        `cuts, ${stub ? 'stub' : 'ROM'}, seed 17: ${cuts} of ${cuts} reported and taken up again; ` +
          `kept on average ${((100 * saved) / cuts).toFixed(0)} % of the image`,
      );
    },
  );

  test('at 90 % of the writing: at least 80 % is saved', async () => {
    const image = espImage(256 * KIB, 5);
    const clean = linkTo(new SimulatedEsp(), {});
    await flash(clean, image);
    const board = new SimulatedEsp();
    await flash(linkTo(board, { cutAfterBytes: Math.floor(0.9 * clean.bytesOnWire) }), image);
    board.powerUp();
    const outcome = await flash(linkTo(board, {}), image);
    expect('report' in outcome && outcome.report.bytesKept / image.length).toBeGreaterThan(0.8);
  });
});
