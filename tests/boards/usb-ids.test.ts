import { describe, expect, it } from 'vitest';
import { listBoards, loadBoard } from '../../boards/load.ts';

/** Numbers that are a maker's own, or a board's own among Espressif's, and who says so. */
const OWN: readonly (readonly [board: string, vid: number, pid: number, source: string])[] = [
  ['xiao-esp32c3', 0x2886, 0x0046, "PlatformIO's boards/seeed_xiao_esp32c3.json"],
  ['xiao-esp32s3', 0x2886, 0x0056, "arduino-esp32's variants/XIAO_ESP32S3/pins_arduino.h; CircuitPython"],
  [
    'xiao-esp32s3',
    0x2886,
    0x8056,
    "PlatformIO's boards/seeed_xiao_esp32s3.json; CircuitPython for the Sense",
  ],
  ['m5stack-stamps3', 0x303a, 0x816b, 'CircuitPython'],
];

/** Numbers of USB-to-serial chips, of debug probes and of chips: whoever has one of those shows them. */
const SHARED = new Set([
  ...['10c4:ea60', '1a86:7523', '1a86:55d4', '0403:6001', '0403:6010', '303a:1001'],
  ...['0483:df11', '0483:3744', '0483:3748', '0483:374b', '0483:374e', '0483:3754'],
]);

const hex = (value: number) => value.toString(16).padStart(4, '0');

describe('the USB numbers of a board', () => {
  it.each(OWN)('%s: %i:%i is its own, by %s', (id, vid, pid) => {
    expect(loadBoard(id).usb).toContainEqual(expect.objectContaining({ vid, pid }));
  });

  it('are shared ones or have a source here, and its own are no other board’s', () => {
    const all = listBoards().flatMap((board) =>
      board.usb.map(({ vid, pid }) => ({ id: board.id, name: `${hex(vid)}:${hex(pid)}` })),
    );
    const own = all.filter(({ name }) => !SHARED.has(name));
    const sourced = OWN.map(([id, vid, pid]) => ({ id, name: `${hex(vid)}:${hex(pid)}` }));
    const sort = (list: typeof own) => list.toSorted((one, other) => one.name.localeCompare(other.name));
    expect(sort(own)).toEqual(sort(sourced));
    expect(new Set(own.map(({ name }) => name)).size).toBe(own.length);
  });
});
