import { describe, expect, test } from 'vitest';
import { type FlashEspOptions, flashEsp } from '../../device/esp/flash-esp.ts';
import { SimulatedLink, type SimulatedLinkOptions } from '../../device/transport/simulated-link.ts';
import type { VirtualEspChip } from '../../device/virtual/esp/esp-profile.ts';
import { espImage, SimulatedEsp } from './simulated-esp.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

const flash = (
  board: SimulatedEsp,
  image: Uint8Array,
  more: Partial<FlashEspOptions> & { address?: number; link?: SimulatedLinkOptions } = {},
) => {
  const { address = 0, link, ...options } = more;
  return flashEsp(new SimulatedLink(board, link), [{ address, data: image }], {
    chip: 'esp32c3',
    flashBytes: 4 * MIB,
    ...options,
  });
};

describe('flashing', () => {
  const chips: readonly VirtualEspChip[] = ['esp32', 'esp32s3', 'esp32c3'];
  test.each(chips.flatMap((chip) => [true, false].map((stub) => ({ chip, stub }))))(
    '$chip, stub $stub: writes, verifies and starts the image',
    async ({ chip, stub }) => {
      const board = new SimulatedEsp({ chip });
      const address = chip === 'esp32' ? 0x1000 : 0;
      const image = espImage(150_001, 1, chip);
      const report = await flash(board, image, { chip, stub, address });
      expect(board.holds(address, image)).toBe(true);
      expect(report).toMatchObject({
        chip,
        stub,
        retries: 0,
        restarts: 0,
        started: true,
        imageBytes: 150_001,
      });
      expect(report.bytesWritten).toBe(150_001);
      expect(report.bytesSent).toBeLessThan(130_000);
      expect(board.starts.at(-1)).toBe(true);
      console.log(chip, stub, report);
    },
  );
});
