import { describe, expect, test } from 'vitest';
import { type FlashProgress, flashStm32 } from '../../device/stm32-bootloader/flash-stm32.ts';
import { SimulatedLink, type SimulatedPeer } from '../../device/transport/simulated-link.ts';
import type { Signals } from '../../device/transport/transport.ts';
import { f405, imageOf, SimulatedStm32 } from './simulated-stm32.ts';

const KIB = 1024;
const ACK = 0x79;
const NACK = 0x1f;

/** Changes what a board hears and says. */
class Between implements SimulatedPeer {
  private readonly board: SimulatedPeer;
  private readonly change: (answer: Uint8Array, request: Uint8Array) => Uint8Array;

  constructor(board: SimulatedPeer, change: (answer: Uint8Array, request: Uint8Array) => Uint8Array) {
    this.board = board;
    this.change = change;
  }

  receive(bytes: Uint8Array): Uint8Array {
    return this.change(this.board.receive(bytes), bytes);
  }

  setSignals(signals: Signals): void {
    this.board.setSignals?.(signals);
  }
}

const flash = (peer: SimulatedPeer, image: Uint8Array, hasSignals = true) =>
  flashStm32(new SimulatedLink(peer, { hasSignals }), image, { target: f405 });

describe('a board that works', () => {
  test.each([8, 9, 10, 11, 255, 256, 257, 16 * KIB - 1, 16 * KIB, 16 * KIB + 1, 100_003])(
    'takes an image of %i bytes, verified and started',
    async (bytes) => {
      const board = new SimulatedStm32();
      const image = imageOf(Math.max(bytes, 12), bytes).subarray(0, Math.max(bytes, 12));
      const report = await flash(board, image);
      expect(board.holds(image)).toBe(true);
      expect(board.mode).toBe('flash');
      expect(report).toMatchObject({
        chipId: 0x413,
        bootloaderVersion: '3.1',
        imageBytes: image.length,
        retries: 0,
      });
      expect(report.bytesVerified).toBeGreaterThanOrEqual(image.length);
    },
  );

  test('that holds the image already is not written again', async () => {
    const board = new SimulatedStm32();
    const image = imageOf(40_000, 1);
    await flash(board, image);
    expect(await flash(board, image)).toMatchObject({ bytesWritten: 0, bytesKept: 40_000, sectorsErased: 0 });
  });

  test('is erased only where the image goes and differs, and where the vector table is', async () => {
    const board = new SimulatedStm32();
    const image = imageOf(200 * KIB, 2);
    board.chip.flash.set(image);
    board.chip.flash.fill(0x5a, 200 * KIB, 600 * KIB);
    board.chip.flash[70 * KIB]! ^= 0xff;
    // Blocks are sampled at their end; make the difference visible there.
    board.chip.flash[70 * KIB + 255]! ^= 0xff;
    const report = await flash(board, image);
    expect(report.sectorsErased).toBe(2);
    expect(board.holds(image)).toBe(true);
    expect(board.chip.flash[300 * KIB]).toBe(0x5a);
  });

  test('with a single wrong byte anywhere is put right', async () => {
    const board = new SimulatedStm32();
    const image = imageOf(20 * KIB, 3);
    board.chip.flash.set(image);
    board.chip.flash[18_000]! ^= 0x40;
    await flash(board, image);
    expect(board.holds(image)).toBe(true);
  });

  test('starts by the Go command where there are no reset lines', async () => {
    const board = new SimulatedStm32({}, 'bootloader');
    const image = imageOf(3_000, 4);
    await flash(board, image, false);
    expect(board.holds(image)).toBe(true);
    expect(board.mode).toBe('flash');
  });

  test.each(['late', 'lost'])('counts as started when the answer to Go is %s', async (how) => {
    const board = new SimulatedStm32({}, 'bootloader');
    const image = imageOf(3_000, 4);
    let held: Uint8Array = new Uint8Array(0);
    const link = new SimulatedLink(
      {
        receive: (bytes) => {
          const running = board.mode === 'flash';
          const answer = board.receive(bytes);
          if (!running && (board.mode as string) === 'flash') {
            if (how === 'late') held = answer;
            return new Uint8Array(0);
          }
          // The image answers everything with dots.
          const said = Buffer.concat([held, running ? Buffer.from('.'.repeat(bytes.length)) : answer]);
          held = new Uint8Array(0);
          return said;
        },
      },
      { hasSignals: false },
    );
    await flashStm32(link, image, { target: f405 });
    expect(board.holds(image)).toBe(true);
    expect(board.mode).toBe('flash');
  });

  test('stays in its boot loader when asked to', async () => {
    const board = new SimulatedStm32();
    await flashStm32(new SimulatedLink(board), imageOf(512, 5), { target: f405, start: false });
    expect(board.mode).toBe('bootloader');
  });

  test('reports progress that never runs backwards within a phase', async () => {
    const seen: FlashProgress[] = [];
    const link = new SimulatedLink(new SimulatedStm32());
    await flashStm32(link, imageOf(5_000, 6), {
      target: f405,
      onProgress: (progress) => seen.push(progress),
    });
    expect(new Set(seen.map(({ phase }) => phase))).toEqual(
      new Set(['connect', 'compare', 'write', 'verify']),
    );
    expect(seen.every(({ done, total }) => done >= 0 && done <= total)).toBe(true);
    expect(seen.at(-1)).toMatchObject({ phase: 'verify' });
  });

  test('with the plain erase command is erased with that', async () => {
    const board = new SimulatedStm32({ erase: 'plain' });
    board.chip.flash.fill(0);
    const image = imageOf(20_000, 7);
    await flash(board, image);
    expect(board.holds(image)).toBe(true);
  });
});

describe('refused before anything is erased', () => {
  async function refused(
    image: Uint8Array,
    code: string,
    prepare: (board: SimulatedStm32) => void = () => {},
  ) {
    const board = new SimulatedStm32();
    board.chip.flash.fill(0x33, 0, 64 * KIB);
    prepare(board);
    await expect(flash(board, image)).rejects.toMatchObject({ code, exit: 2 });
    expect(board.chip.flash.subarray(0, 64 * KIB).every((byte) => byte === 0x33)).toBe(true);
  }

  test('an image larger than the flash', () => refused(imageOf(1024 * KIB + 1, 1), 'E_IMAGE_TOO_LARGE'));
  test('an empty image', () => refused(new Uint8Array(0), 'E_IMAGE'));
  test('an image of random bytes', () => refused(new Uint8Array(4096).fill(0xa5), 'E_IMAGE'));
  test('an image for another address', () => {
    const image = imageOf(4096, 1);
    new DataView(image.buffer).setUint32(4, 0x08010009, true);
    return refused(image, 'E_IMAGE');
  });
  test('a read-protected chip', () =>
    refused(imageOf(4096, 1), 'E_READ_PROTECTED', (board) => {
      board.chip.readProtected = true;
    }));

  test.each([0x410, 0x414, 0x431, 0x433, 0x419, 0x413 ^ 0x100])(
    'chip id %i instead of 0x413',
    async (chipId) => {
      const board = new SimulatedStm32({ chipId });
      board.chip.flash.fill(0x33);
      await expect(flash(board, imageOf(4096, 1))).rejects.toMatchObject({
        code: 'E_WRONG_CHIP',
        exit: 2,
        message: expect.stringMatching(/has id 0x[0-9a-f]{3}, but the board description says 0x413/),
        measure: ['nothing was erased'],
      });
      expect(board.chip.flash.every((byte) => byte === 0x33)).toBe(true);
    },
  );

  test('with an interrupted signal', async () => {
    const board = new SimulatedStm32();
    board.chip.flash.fill(0x33);
    const reason = new Error('interrupted');
    const options = { target: f405, signal: AbortSignal.abort(reason) };
    await expect(flashStm32(new SimulatedLink(board), imageOf(4096, 1), options)).rejects.toBe(reason);
    expect(board.chip.flash.every((byte) => byte === 0x33)).toBe(true);
  });
});

test('an interruption in the middle stops at once, and nothing starts afterwards', async () => {
  const board = new SimulatedStm32();
  const stop = new AbortController();
  const onProgress = ({ phase, done }: FlashProgress) => {
    if (phase === 'write' && done > 8 * KIB) stop.abort(new Error('interrupted'));
  };
  const job = flashStm32(new SimulatedLink(board), imageOf(32 * KIB, 1), {
    target: f405,
    signal: stop.signal,
    onProgress,
  });
  await expect(job).rejects.toThrow('interrupted');
  expect(board.boots).toBe(false);
});

describe('boot loaders with habits', () => {
  const image = imageOf(3 * KIB, 9);
  const only = (byte: number) => Uint8Array.of(byte);

  async function expectFlashed(change: (answer: Uint8Array, request: Uint8Array) => Uint8Array) {
    const board = new SimulatedStm32();
    await flash(new Between(board, change), image);
    expect(board.holds(image)).toBe(true);
  }

  test('a 0x00 before every answer', () =>
    expectFlashed((answer) => (answer[0] === ACK ? Uint8Array.of(0, ...answer) : answer)));
  test('garbage before every answer', () =>
    expectFlashed((answer) => (answer[0] === ACK ? Uint8Array.of(0xf0, 0x0f, 0xaa, ...answer) : answer)));
  test('an adapter that echoes all it is given', () =>
    expectFlashed((answer, request) => Uint8Array.of(...request, ...answer)));
  test('answers that come late', async () => {
    const board = new SimulatedStm32();
    await flashStm32(new SimulatedLink(board, { latencyMs: 200 }), image, { target: f405 });
    expect(board.holds(image)).toBe(true);
  });
  test('a boot loader that is in sync already answers the sync byte with NACK', async () => {
    const board = new SimulatedStm32({}, 'bootloader');
    board.receive(only(0x7f));
    await flash(board, image, false);
    expect(board.holds(image)).toBe(true);
  });
  test.each([0x11, 0x31, 0x44])('one that was left in the middle of command 0x%i', async (command) => {
    const board = new SimulatedStm32({}, 'bootloader');
    board.receive(Uint8Array.of(0x7f, command, command ^ 0xff, 0x08, 0x00));
    await flash(board, image, false);
    expect(board.holds(image)).toBe(true);
  });

  const replies = async () => {
    let count = 0;
    await expectFlashed((answer) => {
      if (answer.length > 0) count++;
      return answer;
    });
    return count;
  };

  test.each([
    ['NACK', () => only(NACK)],
    ['silence', () => new Uint8Array(0)],
    ['nonsense', () => only(0xa5)],
  ] as const)('%s instead of any one answer', async (_, instead) => {
    const count = await replies();
    for (let which = 0; which < count; which++) {
      let at = 0;
      await expectFlashed((answer) => (answer.length > 0 && at++ === which ? instead() : answer));
    }
    expect(count).toBeGreaterThan(60);
  });

  test('a chip that acknowledges writes and drops them is found out', async () => {
    const board = new SimulatedStm32();
    board.chip.write = () => true;
    await expect(flash(board, image)).rejects.toMatchObject({ code: 'E_VERIFY_FAILED' });
  });
  test('a chip that drops one write of many is put right', async () => {
    const board = new SimulatedStm32();
    const write = board.chip.write.bind(board.chip);
    let writes = 0;
    board.chip.write = (address, data) => (++writes === 5 ? true : write(address, data));
    await flash(board, image);
    expect(board.holds(image)).toBe(true);
  });
  test('a write-protected sector is found out', async () => {
    const board = new SimulatedStm32();
    board.chip.flash.fill(0);
    board.chip.writeProtected.add(0);
    await expect(flash(board, image)).rejects.toMatchObject({ code: 'E_VERIFY_FAILED' });
  });
  test('a boot loader that refuses to erase', async () => {
    const board = new SimulatedStm32();
    board.chip.flash.fill(0);
    board.chip.erase = () => false;
    const refusing = new Between(board, (answer, request) => (request[0] === 0x44 ? only(NACK) : answer));
    await expect(flash(refusing, image)).rejects.toMatchObject({ code: 'E_FLASH_REFUSED' });
  });
});

describe('a board that never becomes useful', () => {
  const image = imageOf(4 * KIB, 1);
  const junk = (byte: () => number, count: number): SimulatedPeer => ({
    receive: () => new Uint8Array(0),
    unasked: () => Uint8Array.from({ length: count }, byte),
  });
  const cases: readonly (readonly [string, SimulatedPeer])[] = [
    ['says nothing', { receive: () => new Uint8Array(0) }],
    ['says one byte at a time for ever', junk(() => 0x00, 1)],
    ['floods with 0xC0', junk(() => 0xc0, 4096)],
    ['floods with anything', junk(() => Math.floor(Math.random() * 256), 4096)],
    ['floods with NACK', junk(() => NACK, 256)],
    ['floods with ACK', junk(() => ACK, 256)],
  ];
  test.each(cases)('%s', async (_, peer) => {
    const link = new SimulatedLink(peer);
    await expect(flashStm32(link, image, { target: f405 })).rejects.toMatchObject({
      code: expect.stringMatching(/^E_(BOARD_SILENT|DEVICE_LOST|FLASH_LINK|WRONG_CHIP|FLASH_REFUSED)$/),
    });
    expect(link.clock.now()).toBeLessThan(60_000);
  });

  test.each([
    ['with reset lines', true],
    ['without reset lines', false],
  ])('resets itself now and then: taken up again, %s', async (_, hasSignals) => {
    const board = new SimulatedStm32({}, 'bootloader');
    let blocks = 0;
    const link = new SimulatedLink(
      new Between(board, (answer, request) => {
        if (request.length > 100 && ++blocks % 5 === 0) board.restart('bootloader');
        return answer;
      }),
      { hasSignals },
    );
    const report = await flashStm32(link, image, { target: f405 });
    expect(board.holds(image)).toBe(true);
    expect(report.resets).toBeGreaterThan(1);
  });

  test('resets itself at every write: given up in time', async () => {
    const board = new SimulatedStm32({}, 'bootloader');
    const link = new SimulatedLink(
      new Between(board, (answer, request) => {
        if (request.length <= 100) return answer;
        board.restart('bootloader');
        return new Uint8Array(0);
      }),
    );
    board.chip.write = () => false;
    await expect(flashStm32(link, image, { target: f405 })).rejects.toMatchObject({ code: 'E_FLASH_LINK' });
    expect(link.clock.now()).toBeLessThan(60_000);
  });

  test('stops answering in the middle: noticed within five seconds of silence', async () => {
    const board = new SimulatedStm32();
    let stopped = 0;
    const link = new SimulatedLink(
      new Between(board, (answer) => {
        if (link.bytesOnWire < 6_000) return answer;
        stopped ||= link.clock.now();
        return new Uint8Array(0);
      }),
    );
    await expect(flashStm32(link, image, { target: f405 })).rejects.toMatchObject({ code: 'E_DEVICE_LOST' });
    expect(link.clock.now() - stopped).toBeLessThan(5_000);
    expect(stopped).toBeGreaterThan(0);
  });
});
