import { describe, expect, test } from 'vitest';
import { flashDfu } from '../../device/dfu/flash-dfu.ts';
import { parseMemoryLayout } from '../../device/dfu/memory-layout.ts';
import { openUsbPipe, transferSize, type UsbDevice } from '../../device/dfu/usb-pipe.ts';
import { type DfuHabits, type DfuStep, SimulatedDfu } from './simulated-dfu.ts';
import { f405, imageOf } from './simulated-stm32.ts';

const KIB = 1024;

async function flash(device: SimulatedDfu, image: Uint8Array) {
  return flashDfu(await device.pipe(), image, { target: f405 });
}

const refusal = async (habits: DfuHabits, image = imageOf(4 * KIB, 1)) => {
  const device = new SimulatedDfu(habits);
  device.chip.flash.fill(0x33, 0, 64 * KIB);
  const error = await flash(device, image).then(
    () => undefined,
    (reason) => reason,
  );
  return { device, error };
};

const untouched = ({ chip }: SimulatedDfu) => chip.flash.subarray(0, 64 * KIB).every((byte) => byte === 0x33);

describe('a DfuSe device that works', () => {
  test.each([12, 255, 2047, 2048, 2049, 16 * KIB, 100_003])('takes an image of %i bytes', async (bytes) => {
    const device = new SimulatedDfu();
    const image = imageOf(bytes, bytes);
    const report = await flash(device, image);
    expect(device.holds(image)).toBe(true);
    expect(device.started).toBe(0x08000000);
    expect(report).toMatchObject({ imageBytes: bytes, retries: 0 });
    expect(report.bytesVerified).toBeGreaterThanOrEqual(bytes);
  });

  test('that holds the image already is not written again', async () => {
    const device = new SimulatedDfu();
    const image = imageOf(40_000, 2);
    device.chip.flash.set(image);
    expect(await flash(device, image)).toMatchObject({
      bytesWritten: 0,
      sectorsErased: 0,
      bytesKept: 40_000,
    });
  });

  test('is erased only where it differs, and where the vector table is', async () => {
    const device = new SimulatedDfu();
    const image = imageOf(200 * KIB, 3);
    device.chip.flash.set(image);
    device.chip.flash[150 * KIB]! ^= 1;
    device.chip.flash.fill(0x5a, 300 * KIB, 310 * KIB);
    expect(await flash(device, image)).toMatchObject({ sectorsErased: 2 });
    expect(device.holds(image)).toBe(true);
    expect(device.chip.flash[301 * KIB]).toBe(0x5a);
  });

  test.each([2, 3, 5, 6, 9, 10])('is brought to idle from state %i, where others left it', async (state) => {
    const device = new SimulatedDfu({ state });
    const image = imageOf(3_000, 4);
    if (state === 6) return expect(flash(device, image)).rejects.toMatchObject({ code: 'E_DEVICE_LOST' });
    await flash(device, image);
    return expect(device.holds(image)).toBe(true);
  });
});

describe('refused before anything is erased', () => {
  test.each<[string, DfuHabits, string]>([
    ['a read-protected chip', { readProtected: true }, 'E_READ_PROTECTED'],
    ['a chip with other sectors', { layout: '@Internal Flash  /0x08000000/512*0002Kg' }, 'E_WRONG_CHIP'],
    [
      'a chip with less flash',
      { layout: '@Internal Flash  /0x08000000/04*016Kg,01*064Kg,03*128Kg' },
      'E_WRONG_CHIP',
    ],
    [
      'a locked sector',
      { layout: '@Internal Flash  /0x08000000/04*016Ka,01*064Kg,07*128Kg' },
      'E_FLASH_LOCKED',
    ],
    ['a device that is no STM32', { layout: 'Bootloader' }, 'E_DFU_LAYOUT'],
  ])('%s', async (_, habits, code) => {
    const { device, error } = await refusal(habits);
    expect(error).toMatchObject({ code, exit: 2 });
    expect(untouched(device)).toBe(true);
  });

  test.each<[string, Uint8Array, string]>([
    ['too large', imageOf(1024 * KIB + 4, 1), 'E_IMAGE_TOO_LARGE'],
    ['empty', new Uint8Array(0), 'E_IMAGE'],
    ['of random bytes', new Uint8Array(4096).fill(0xa5), 'E_IMAGE'],
  ])('an image that is %s', async (_, image, code) => {
    const { device, error } = await refusal({}, image);
    expect(error).toMatchObject({ code, exit: 2 });
    expect(untouched(device)).toBe(true);
  });
});

describe('faults on the way', () => {
  const image = imageOf(10 * KIB, 5);

  /** How often each step happens in a flash without faults. */
  async function steps(): Promise<Map<DfuStep, number>> {
    const counts = new Map<DfuStep, number>();
    const device = new SimulatedDfu({
      fault: (step) => {
        counts.set(step, (counts.get(step) ?? 0) + 1);
        return undefined;
      },
    });
    device.chip.flash.fill(0);
    await flash(device, image);
    return counts;
  }

  test('one stall, dfuERROR or short transfer at any step is repeated', async () => {
    let cases = 0;
    for (const [step, times] of await steps()) {
      if (step === 'status') continue;
      const kinds = step === 'read' ? (['stall', 'short'] as const) : (['stall'] as const);
      for (const kind of kinds) {
        for (let which = 0; which < times; which++) {
          const device = new SimulatedDfu({
            fault: (at, n) => (at === step && n === which ? kind : undefined),
          });
          device.chip.flash.fill(0);
          await flash(device, image);
          expect(device.holds(image), `${kind} at ${step} ${which}`).toBe(true);
          cases++;
        }
      }
    }
    expect(cases).toBeGreaterThanOrEqual(30);
  });

  test('a device that vanishes at any step is reported, and taken up again', async () => {
    for (const [step, times] of await steps()) {
      for (let which = 0; which < times; which++) {
        const device = new SimulatedDfu({
          fault: (at, n) => (at === step && n === which ? 'vanish' : undefined),
        });
        device.chip.flash.fill(0);
        const error = await flash(device, image).then(
          () => undefined,
          (reason) => reason,
        );
        // Having left the bus in order to start is no fault.
        if (error === undefined) expect(device.holds(image), `${step} ${which}`).toBe(true);
        else expect(error, `${step} ${which}`).toMatchObject({ code: 'E_DEVICE_LOST', exit: 2 });
        const again = new SimulatedDfu();
        again.chip.flash.set(device.chip.flash);
        expect(again.holds(image) || again.chip.blank || again.chip.flash[0] === 0).toBe(true);
        await flash(again, image);
        expect(again.holds(image)).toBe(true);
      }
    }
  });

  test.each<[DfuStep, string]>([
    ['write', 'E_VERIFY_FAILED'],
    ['erase', 'E_VERIFY_FAILED'],
  ])('a %s that is dropped without a word is found out', async (step, code) => {
    const device = new SimulatedDfu({ fault: (at) => (at === step ? 'drop' : undefined) });
    device.chip.flash.fill(0x55);
    await expect(flash(device, image)).rejects.toMatchObject({ code, exit: 2 });
    expect(device.started).toBeUndefined();
  });

  test.each<[DfuStep, string]>([
    ['write', 'E_FLASH_REFUSED'],
    ['erase', 'E_FLASH_REFUSED'],
    ['read', 'E_FLASH_REFUSED'],
    ['address', 'E_FLASH_REFUSED'],
    ['status', 'E_FLASH_REFUSED'],
  ])('a %s that stalls for ever is given up', async (step, code) => {
    const device = new SimulatedDfu({ fault: (at) => (at === step ? 'stall' : undefined) });
    device.chip.flash.fill(0);
    await expect(flash(device, image)).rejects.toMatchObject({ code, exit: 2 });
  });

  test('a device that stays busy is given up', async () => {
    const device = new SimulatedDfu({ stuck: true });
    await expect(flash(device, image)).rejects.toMatchObject({ code: 'E_BOARD_TIMEOUT', exit: 2 });
  });
});

describe('what the device tells of itself', () => {
  test('layouts with several memories and pages', () => {
    const sectors = parseMemoryLayout('@Flash /0x08000000/0128*0002Kg/0x08080000/02*016Ka,01*001Mg', 'd');
    expect(sectors).toHaveLength(131);
    expect(sectors[128]).toEqual({
      address: 0x08080000,
      bytes: 16_384,
      readable: true,
      erasable: false,
      writable: false,
    });
    expect(sectors[130]).toMatchObject({ address: 0x08088000, bytes: 1_048_576, writable: true });
  });

  test.each([
    '',
    '@',
    '@x/',
    '@x/08000000/1*1Kg',
    '@x/0x08000000/99999*1Kg',
    '@x/0x08000000/1*0Kg',
    '@x/0x08000000/1*1Kz',
    `@${'/0x08000000/9999*1Kg'.repeat(500)}`,
  ])('not %.40j', (text) => {
    expect(() => parseMemoryLayout(text, 'd')).toThrowError(
      expect.objectContaining({ code: 'E_DFU_LAYOUT' }),
    );
  });

  test.each([
    [[], 2048],
    [[0, 0, 0], 2048],
    [[9, 0x21, 0, 0, 0, 0, 4, 0, 0], 1024],
    [[9, 0x21, 0, 0], 2048],
  ])('transfer sizes: %j', (bytes, size) => {
    expect(transferSize(Uint8Array.from(bytes))).toBe(size);
  });

  test('a device of another kind, or one that may not be opened', async () => {
    const other = {
      ...new SimulatedDfu(),
      configurations: [],
      close: async () => {},
    } as unknown as UsbDevice;
    await expect(openUsbPipe(other)).rejects.toMatchObject({ code: 'E_USB', exit: 2 });
    const device = new SimulatedDfu();
    device.open = async () => {
      throw new Error('LIBUSB_ERROR_ACCESS');
    };
    await expect(device.pipe()).rejects.toMatchObject({ code: 'E_USB', exit: 2 });
  });
});
