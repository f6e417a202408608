import { describe, expect, test } from 'vitest';
import { eraseEsp } from '../../device/esp/erase-esp.ts';
import { type FlashEspOptions, flashEsp } from '../../device/esp/flash-esp.ts';
import { readEsp } from '../../device/esp/read-esp.ts';
import { resetEsp } from '../../device/esp/reset-esp.ts';
import { parseResetSequence } from '../../device/esp/reset-sequence.ts';
import {
  SimulatedLink,
  type SimulatedLinkOptions,
  type SimulatedPeer,
  seededRandom,
} from '../../device/transport/simulated-link.ts';
import type { VirtualEspChip } from '../../device/virtual/esp/esp-profile.ts';
import { espImage, SimulatedEsp } from './simulated-esp.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const options = { chip: 'esp32c3', flashBytes: 4 * MIB } as const;

type More = Partial<FlashEspOptions> & { address?: number; link?: SimulatedLinkOptions };

const flash = (board: SimulatedPeer, image: Uint8Array, more: More = {}) => {
  const { address = 0, link, ...rest } = more;
  return flashEsp(new SimulatedLink(board, link), [{ address, data: image }], { ...options, ...rest });
};

const failure = (code: string, text = /./) =>
  expect.objectContaining({ code, exit: 2, message: expect.stringMatching(text) });

const isUntouched = (board: SimulatedEsp) => board.flash.bytes.every((byte) => byte === 0x5a);

function usedBoard(more: ConstructorParameters<typeof SimulatedEsp>[0] = {}): SimulatedEsp {
  const board = new SimulatedEsp(more);
  board.flash.bytes.fill(0x5a);
  return board;
}

describe('flashing an ESP32-family board', () => {
  const chips: readonly VirtualEspChip[] = ['esp32', 'esp32s3', 'esp32c3'];
  test.each(chips.flatMap((chip) => [true, false].map((stub) => ({ chip, stub }))))(
    '$chip, stub $stub: writes, verifies and starts the image',
    async ({ chip, stub }) => {
      const board = usedBoard({ chip });
      const address = chip === 'esp32' ? 0x1000 : 0;
      const image = espImage(150_001, 1, chip);
      const report = await flash(board, image, { chip, stub, address });
      expect(board.holds(address, image)).toBe(true);
      expect(report).toMatchObject({ chip, stub, retries: 0, restarts: 0, started: true });
      expect(report).toMatchObject({ imageBytes: 150_001, bytesWritten: 150_001, bytesVerified: 150_001 });
      // A quarter of the image compresses well.
      expect(report.bytesSent).toBeLessThan(130_000);
      expect(board.starts.at(-1)).toBe(true);
      // The sectors after the image are not touched.
      expect(board.flash.bytes.subarray(address + 151_552).every((byte) => byte === 0x5a)).toBe(true);
    },
  );

  test('sends as it is what does not compress, or what it is told to', async () => {
    const board = new SimulatedEsp();
    const image = espImage(40_000, 2);
    const report = await flash(board, image, { compress: false });
    expect(report.bytesSent).toBeGreaterThanOrEqual(40_000);
    expect(board.holds(0, image)).toBe(true);
  });

  test('goes to the higher rate, and stays at the first where the line does not bear it', async () => {
    const image = espImage(20_000, 3);
    expect(await flash(new SimulatedEsp(), image, { baud: 921_600 })).toMatchObject({ baud: 921_600 });
    const board = new SimulatedEsp();
    let baud = 0;
    const slowLine: SimulatedPeer = {
      receive: (bytes) => (baud > 115_200 ? new Uint8Array(0) : board.receive(bytes)),
      setSignals: (signals) => board.setSignals(signals),
      unasked: () => board.unasked(),
      setBaud(rate) {
        baud = rate;
        board.setBaud(rate);
      },
    };
    const report = await flash(slowLine, image, { baud: 921_600 });
    expect(report).toMatchObject({ baud: 115_200, stub: true });
    expect(board.holds(0, image)).toBe(true);
  });

  test('leaves alone what is there already', async () => {
    const board = new SimulatedEsp();
    const image = espImage(300_000, 4);
    await flash(board, image);
    expect(await flash(board, image)).toMatchObject({ bytesWritten: 0, bytesKept: 300_000, bytesSent: 0 });
    const changed = image.slice();
    changed[200_000]! ^= 1;
    // The sector that differs, and the first one, without which nothing starts meanwhile.
    expect(await flash(board, changed)).toMatchObject({ bytesWritten: 8_192 });
    expect(board.holds(0, changed)).toBe(true);
    expect(await flash(board, changed, { all: true })).toMatchObject({ bytesWritten: 300_000 });
  });

  test('writes several parts, also such that are erased flash', async () => {
    const board = usedBoard({ chip: 'esp32' });
    const parts = [
      { address: 0x10000, data: espImage(70_000, 5, 'esp32') },
      { address: 0x1000, data: espImage(17_000, 6, 'esp32') },
      { address: 0x8000, data: new Uint8Array(3_000).fill(0xff) },
    ];
    await flashEsp(new SimulatedLink(board), parts, { ...options, chip: 'esp32' });
    for (const { address, data } of parts) expect(board.holds(address, data)).toBe(true);
  });

  test('with reset lines of no board, by what runs already, and starts the program by the watchdog', async () => {
    const board = new SimulatedEsp();
    board.board.reset('bootloader');
    const image = espImage(10_000, 7);
    const first = await flash(board, image, { link: { hasSignals: false } });
    expect(first).toMatchObject({ stub: true, started: true });
    expect(board.starts).toEqual([true]);
    // The stub that an earlier run left behind, at a higher rate.
    board.board.reset('bootloader');
    await flash(board, image, { link: { hasSignals: false }, start: false });
    const again = espImage(10_000, 8);
    expect(await flash(board, again, { link: { hasSignals: false } })).toMatchObject({
      stub: true,
      started: true,
    });
    expect(board.holds(0, again)).toBe(true);
  });

  test("over the chip's own USB: watchdogs off, no change of rate; the other reset when the usual one does nothing", async () => {
    const board = new SimulatedEsp();
    const image = espImage(10_000, 10);
    // The board is wired as a devkit, which the steps for USB do not start.
    const report = await flash(board, image, { reset: 'usb-jtag-serial' });
    expect(report).toMatchObject({ baud: 115_200, stub: true, started: true });
    expect(board.holds(0, image)).toBe(true);
  });

  test('over the lines that a custom sequence says', async () => {
    const board = new SimulatedEsp();
    const image = espImage(5_000, 9);
    const custom = 'D0|R1|W0.1|U1,0|W0.05|D0';
    await flash(board, image, { reset: { custom } });
    expect(board.holds(0, image)).toBe(true);
    expect(parseResetSequence('D0 | r1|W.5|U1, 0|')).toEqual([
      { signals: { dtr: false } },
      { signals: { rts: true } },
      { waitMs: 500 },
      { signals: { dtr: true, rts: false } },
    ]);
    for (const wrong of ['D2', 'X1', 'W', 'W1e3', 'W99', 'U1', 'D0R1'])
      expect(() => parseResetSequence(`D0|${wrong}`)).toThrow(
        expect.objectContaining({ code: 'E_RESET_SEQUENCE', exit: 1 }),
      );
  });
});

describe('refused before anything is erased', () => {
  test('another chip than the board says', async () => {
    const board = usedBoard({ chip: 'esp32s3' });
    const image = espImage(5_000, 1);
    await expect(flash(board, image)).rejects.toEqual(
      failure('E_WRONG_CHIP', /is an ESP32-S3.*says ESP32-C3/),
    );
    const other = usedBoard();
    const wanted = { chip: 'esp32', address: 0x1000 } as const;
    await expect(flash(other, espImage(5_000, 1, 'esp32'), wanted)).rejects.toEqual(
      failure('E_WRONG_CHIP', /ESP32-C3/),
    );
    expect(isUntouched(board) && isUntouched(other)).toBe(true);
  });

  test('an image that was built for another chip, stands askew, overlaps, or is too large', async () => {
    const board = usedBoard();
    await expect(flash(board, espImage(5_000, 1, 'esp32s3'))).rejects.toEqual(failure('E_IMAGE', /ESP32-S3/));
    await expect(flash(board, espImage(5_000, 1), { address: 0x800 })).rejects.toEqual(failure('E_IMAGE'));
    const parts = [0, 0x1000].map((address) => ({ address, data: espImage(5_000, 1) }));
    await expect(flashEsp(new SimulatedLink(board), parts, options)).rejects.toEqual(
      failure('E_IMAGE', /share sectors/),
    );
    const large = espImage(2 * MIB, 1);
    await expect(flash(board, large, { flashBytes: MIB })).rejects.toEqual(failure('E_IMAGE_TOO_LARGE'));
    expect(isUntouched(board)).toBe(true);
    // The board description promises more than the chip has.
    const small = usedBoard({ flashBytes: MIB });
    await expect(flash(small, large)).rejects.toEqual(failure('E_IMAGE_TOO_LARGE', /room for 1048576/));
    expect(isUntouched(small)).toBe(true);
  });

  const secured = [
    { what: 'secure download', code: 'E_SECURE_DOWNLOAD', board: { security: { flags: 0x4 } } },
    { what: 'secure boot', code: 'E_SECURE_BOOT', board: { security: { flags: 0x1 } } },
    { what: 'flash encryption', code: 'E_FLASH_ENCRYPTED', board: { security: { cryptCount: 7 } } },
  ];
  test.each(secured)('$what', async ({ code, board: fuses }) => {
    const board = usedBoard(fuses);
    await expect(flash(board, espImage(5_000, 1))).rejects.toEqual(failure(code));
    await expect(eraseEsp(new SimulatedLink(board), options)).rejects.toEqual(failure(code));
    expect(isUntouched(board)).toBe(true);
    const forced = flash(board, espImage(5_000, 1), { force: true });
    if (code === 'E_SECURE_DOWNLOAD') await expect(forced).rejects.toEqual(failure(code));
    else await expect(forced).resolves.toMatchObject({ bytesVerified: 5_000 });
  });

  test('an ESP32 whose fuses say so', async () => {
    const image = espImage(5_000, 1, 'esp32');
    const esp32 = { chip: 'esp32', address: 0x1000 } as const;
    const encrypted = usedBoard({ chip: 'esp32', registers: new Map([[0x3ff5a000, 1 << 20]]) });
    await expect(flash(encrypted, image, esp32)).rejects.toEqual(failure('E_FLASH_ENCRYPTED'));
    const signed = usedBoard({ chip: 'esp32', registers: new Map([[0x3ff5a018, 1 << 4]]) });
    await expect(flash(signed, image, esp32)).rejects.toEqual(failure('E_SECURE_BOOT'));
    // Two of seven bits: encryption was turned on and off again.
    const off = usedBoard({ chip: 'esp32', registers: new Map([[0x3ff5a000, 3 << 20]]) });
    await expect(flash(off, image, esp32)).resolves.toMatchObject({ bytesVerified: 5_000 });
  });
});

describe('a board that does not answer as it should', () => {
  const silent: SimulatedPeer = { receive: () => new Uint8Array(0) };
  const talking = (text: string): SimulatedPeer => ({
    ...silent,
    unasked: () => Buffer.from(text, 'latin1'),
  });

  test.each([
    { what: 'nothing at all', peer: silent, why: 'nothing was received' },
    {
      what: 'its program, because IO0 is not wired',
      peer: talking('rst:0x1 (POWERON),boot:0xc (SPI_FAST_FLASH_BOOT)\r\nhello\r\n'),
      why: 'boot:0xc',
    },
    {
      what: 'that it waits, but hears nothing',
      peer: talking('rst:0x1,boot:0x4 (DOWNLOAD(USB/UART0/1))\r\nwaiting for download\r\n'),
      why: 'hears nothing',
    },
    { what: 'endless delimiters', peer: talking('\xc0'.repeat(5_000)), why: 'received instead' },
    { what: 'endless junk', peer: talking('x'.repeat(5_000)), why: 'received instead' },
  ])('$what: says so within half a minute', async ({ peer, why }) => {
    const link = new SimulatedLink(peer);
    const attempt = flashEsp(link, [{ address: 0, data: espImage(5_000, 1) }], options);
    await expect(attempt).rejects.toMatchObject({
      code: 'E_BOARD_SILENT',
      exit: 2,
      measure: [expect.stringContaining(why)],
    });
    expect(link.clock.now()).toBeLessThan(30_000);
  });

  test('a loader that answers late is waited for', async () => {
    const board = new SimulatedEsp();
    const image = espImage(40_000, 2);
    expect(await flash(board, image, { link: { latencyMs: 450 } })).toMatchObject({ restarts: 0 });
    expect(board.holds(0, image)).toBe(true);
  });

  test('a chatty program and a boot log with delimiters in it do not disturb', async () => {
    const board = new SimulatedEsp();
    const random = seededRandom(5);
    let left = 40;
    const chatty: SimulatedPeer = {
      receive: (bytes) => board.receive(bytes),
      setSignals: (signals) => board.setSignals(signals),
      unasked() {
        const junk = Uint8Array.from({ length: 200 }, () =>
          random() < 0.1 ? 0xc0 : Math.floor(random() * 256),
        );
        return left-- > 0 ? Buffer.concat([junk, board.unasked()]) : board.unasked();
      },
    };
    const image = espImage(40_000, 3);
    await flash(chatty, image);
    expect(board.holds(0, image)).toBe(true);
  });

  test('one that falls silent for good is reported within six seconds', async () => {
    const board = new SimulatedEsp();
    let bytes = 0;
    const dying: SimulatedPeer = {
      receive(sent) {
        bytes += sent.length;
        return bytes < 60_000 ? board.receive(sent) : new Uint8Array(0);
      },
      setSignals: (signals) => board.setSignals(signals),
      unasked: () => (bytes < 60_000 ? board.unasked() : new Uint8Array(0)),
    };
    const link = new SimulatedLink(dying);
    let died = 0;
    const onProgress = () => {
      if (bytes < 60_000) died = link.clock.now();
    };
    const attempt = flashEsp(link, [{ address: 0, data: espImage(200_000, 4) }], { ...options, onProgress });
    await expect(attempt).rejects.toEqual(failure('E_DEVICE_LOST'));
    expect(link.clock.now() - died).toBeLessThan(6_500);
  });

  test('one that restarts by itself is taken up again', async () => {
    const board = new SimulatedEsp();
    let bytes = 0;
    let restarts = 0;
    const weak: SimulatedPeer = {
      receive(sent) {
        bytes += sent.length;
        if (restarts < 2 && bytes > 50_000 * (restarts + 1)) {
          restarts++;
          board.powerUp();
        }
        return board.receive(sent);
      },
      setSignals: (signals) => board.setSignals(signals),
      unasked: () => board.unasked(),
      setBaud: (baud) => board.setBaud(baud),
    };
    const image = espImage(200_000, 5);
    const report = await flash(weak, image);
    expect(report.restarts).toBeGreaterThanOrEqual(2);
    expect(board.holds(0, image)).toBe(true);
  });

  test('flash that does not keep what it is given is found out', async () => {
    const board = new SimulatedEsp();
    const program = board.flash.program.bind(board.flash);
    board.flash.program = (address, data) => {
      program(address, data);
      board.flash.bytes.fill(0xff, 0x8000, 0x9000);
    };
    await expect(flash(board, espImage(100_000, 6))).rejects.toEqual(
      failure('E_VERIFY_FAILED', /0x00008000/),
    );
    expect(board.flash.bytes[0]).toBe(0xff);
  });
});

describe('reading, erasing, restarting', () => {
  test.each([true, false])('reads any range, with the stub: %s', async (stub) => {
    const board = new SimulatedEsp();
    const random = seededRandom(3);
    for (let i = 0; i < board.flash.size; i++) board.flash.bytes[i] = Math.floor(random() * 256);
    for (const [address, bytes] of [
      [3, 10_001],
      [MIB, stub ? 200_000 : 9_000],
      [4 * MIB - 1, 1],
      [0, 0],
    ] as const) {
      const read = await readEsp(new SimulatedLink(board), { stub, range: { address, bytes } });
      expect(Buffer.compare(read, board.flash.read(address, bytes))).toBe(0);
    }
    const beyond = readEsp(new SimulatedLink(board), { range: { address: 4 * MIB - 1, bytes: 2 } });
    await expect(beyond).rejects.toMatchObject({ code: 'E_FLASH_RANGE', exit: 1 });
  });

  test.each([true, false])('erases a range or everything, with the stub: %s', async (stub) => {
    const board = usedBoard({ flashBytes: MIB });
    const wanted = { ...options, flashBytes: MIB, stub };
    const range = { address: 0x3000, bytes: 0x2000 };
    const report = await eraseEsp(new SimulatedLink(board), { ...wanted, range });
    expect(report).toEqual({ address: 0x3000, bytesErased: 0x2000, sectorsErased: 2 });
    expect(board.flash.bytes.filter((byte) => byte === 0xff)).toHaveLength(0x2000);
    for (const wrong of [
      { address: 1, bytes: 4096 },
      { address: 0, bytes: 100 },
    ])
      await expect(eraseEsp(new SimulatedLink(board), { ...wanted, range: wrong })).rejects.toMatchObject({
        code: 'E_ERASE_RANGE',
      });
    await eraseEsp(new SimulatedLink(board), wanted);
    expect(board.flash.bytes.every((byte) => byte === 0xff)).toBe(true);
  });

  test.each([MIB, 2 * MIB])(
    'erases all of a flash of %i bytes, whatever the board description says',
    async (bytes) => {
      const board = usedBoard({ flashBytes: bytes });
      const wanted = { ...options, flashBytes: MIB === bytes ? 4 * MIB : MIB };
      const report = await eraseEsp(new SimulatedLink(board), wanted);
      expect(report).toEqual({ address: 0, bytesErased: bytes, sectorsErased: bytes / 4096 });
      expect(board.flash.bytes.every((byte) => byte === 0xff)).toBe(true);
      const beyond = { ...wanted, range: { address: bytes, bytes: 4096 } };
      await expect(eraseEsp(new SimulatedLink(board), beyond)).rejects.toMatchObject({
        code: 'E_FLASH_RANGE',
      });
      const last = { ...wanted, range: { address: bytes - 4096, bytes: 4096 } };
      expect(await eraseEsp(new SimulatedLink(board), last)).toMatchObject({ bytesErased: 4096 });
    },
  );

  test('starts the program by the lines, or by the loader where there are none', async () => {
    const board = new SimulatedEsp();
    expect(await resetEsp(new SimulatedLink(board))).toBe(true);
    expect(board.starts).toHaveLength(1);
    for (const chip of ['esp32', 'esp32c3'] as const) {
      const other = new SimulatedEsp({ chip });
      other.board.reset('bootloader');
      expect(await resetEsp(new SimulatedLink(other, { hasSignals: false }))).toBe(true);
      expect(other.starts).toHaveLength(1);
    }
  });
});
