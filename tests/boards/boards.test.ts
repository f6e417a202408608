import { describe, expect, it } from 'vitest';
import { boardIds, dataRam, listBoards, loadBoard, readBoard, type Stm32Board } from '../../boards/load.ts';

const MHZ = 1_000_000;
const boards = listBoards().filter((board) => board.family === 'stm32');

/** Highest frequencies in MHz: core, APB1, APB2 (data sheets, general operating conditions). */
const LIMITS = new Map([
  ['stm32f030r8', [48, 48, 48]],
  ['stm32f072rb', [48, 48, 48]],
  ['stm32f100rb', [24, 24, 24]],
  ['stm32f103c8', [72, 36, 72]],
  ['stm32f103rb', [72, 36, 72]],
  ['stm32f205rf', [120, 30, 60]],
  ['stm32f207zg', [120, 30, 60]],
  ['stm32f303k8', [72, 36, 72]],
  ['stm32f303re', [72, 36, 72]],
  ['stm32f303vc', [72, 36, 72]],
  ['stm32f405rg', [168, 42, 84]],
  ['stm32f407vg', [168, 42, 84]],
  ['stm32f401cc', [84, 42, 84]],
  ['stm32f401re', [84, 42, 84]],
  ['stm32f411ce', [100, 50, 100]],
  ['stm32f411re', [100, 50, 100]],
  ['stm32f429zi', [180, 45, 90]],
  ['stm32f446re', [180, 45, 90]],
  ['stm32f746ng', [216, 54, 108]],
  ['stm32f746zg', [216, 54, 108]],
  ['stm32f767zi', [216, 54, 108]],
  ['stm32g071rb', [64, 64, 64]],
  ['stm32g0b1re', [64, 64, 64]],
  ['stm32g431kb', [170, 170, 170]],
  ['stm32g431rb', [170, 170, 170]],
  ['stm32g474re', [170, 170, 170]],
  // In every revision; V does 480.
  ['stm32h743zi', [400, 100, 100]],
  ['stm32h753zi', [400, 100, 100]],
  ['stm32l053r8', [32, 32, 32]],
  ['stm32l073rz', [32, 32, 32]],
  ['stm32l432kc', [80, 80, 80]],
  ['stm32l475vg', [80, 80, 80]],
  ['stm32l476rg', [80, 80, 80]],
  ['stm32l4r5zi', [120, 120, 120]],
  ['stm32u575zi', [160, 160, 160]],
]);

/** Product identifiers, memories in KiB (AN2606; data sheets), and flash as it is erased (reference manuals). */
const CHIPS = new Map<string, readonly [id: number, flash: number, ram: number, sectors: string]>([
  ['stm32f030r8', [0x440, 64, 8, '64x1']],
  ['stm32f072rb', [0x448, 128, 16, '64x2']],
  ['stm32f100rb', [0x420, 128, 8, '128x1']],
  ['stm32f103c8', [0x410, 64, 20, '64x1']],
  ['stm32f103rb', [0x410, 128, 20, '128x1']],
  ['stm32f205rf', [0x411, 768, 128, '4x16 1x64 5x128']],
  ['stm32f207zg', [0x411, 1024, 128, '4x16 1x64 7x128']],
  ['stm32f303k8', [0x438, 64, 12, '32x2']],
  ['stm32f303re', [0x446, 512, 64, '256x2']],
  ['stm32f303vc', [0x422, 256, 40, '128x2']],
  ['stm32f401cc', [0x423, 256, 64, '4x16 1x64 1x128']],
  ['stm32f401re', [0x433, 512, 96, '4x16 1x64 3x128']],
  ['stm32f405rg', [0x413, 1024, 128, '4x16 1x64 7x128']],
  ['stm32f407vg', [0x413, 1024, 128, '4x16 1x64 7x128']],
  ['stm32f411ce', [0x431, 512, 128, '4x16 1x64 3x128']],
  ['stm32f411re', [0x431, 512, 128, '4x16 1x64 3x128']],
  ['stm32f429zi', [0x419, 2048, 192, '4x16 1x64 7x128 4x16 1x64 7x128']],
  ['stm32f446re', [0x421, 512, 128, '4x16 1x64 3x128']],
  ['stm32f746ng', [0x449, 1024, 320, '4x32 1x128 3x256']],
  ['stm32f746zg', [0x449, 1024, 320, '4x32 1x128 3x256']],
  ['stm32f767zi', [0x451, 2048, 512, '4x32 1x128 7x256']],
  ['stm32g071rb', [0x460, 128, 36, '64x2']],
  ['stm32g0b1re', [0x467, 512, 144, '128x2 128x2']],
  ['stm32g431kb', [0x468, 128, 32, '64x2']],
  ['stm32g431rb', [0x468, 128, 32, '64x2']],
  ['stm32g474re', [0x469, 512, 128, '256x2']],
  ['stm32h743zi', [0x450, 2048, 512, '16x128']],
  ['stm32h753zi', [0x450, 2048, 512, '16x128']],
  ['stm32l053r8', [0x417, 64, 8, '512x0.125']],
  ['stm32l073rz', [0x447, 192, 20, '1536x0.125']],
  ['stm32l432kc', [0x435, 256, 64, '128x2']],
  ['stm32l475vg', [0x415, 1024, 96, '512x2']],
  ['stm32l476rg', [0x415, 1024, 96, '512x2']],
  ['stm32l4r5zi', [0x470, 2048, 640, '512x4']],
  ['stm32u575zi', [0x482, 2048, 768, '256x8']],
]);

/** Most MHz for each wait state, in the voltage range that our clock set-up chooses (reference manuals). */
const PER_WAIT_STATE: Readonly<Record<string, readonly number[]>> = {
  f0: [24, 48],
  f1: [24, 48, 72],
  f2: [30, 60, 90, 120],
  f3: [24, 48, 72],
  f4: [30, 60, 90, 120, 150, 180],
  f7: [30, 60, 90, 120, 150, 180, 210, 216],
  g0: [24, 48, 64],
  g4: [34, 68, 102, 136, 170],
  // By the AXI bus, which runs at half the core's frequency.
  h7: [70, 140, 210],
  l0: [16, 32],
  l4: [16, 32, 48, 64, 80],
  'l4+': [20, 40, 60, 80, 100, 120],
  u5: [32, 64, 96, 128, 160],
};

describe.each(boards.map((board): [string, Stm32Board] => [board.id, board]))('%s', (id, board) => {
  const { chip } = board;

  it('is filed under its own id', () => {
    expect(boardIds()).toContain(id);
    expect(loadBoard(id)).toEqual(board);
  });

  it('keeps its buses within the limits of its chip', () => {
    const [core, apb1, apb2] = LIMITS.get(chip.id)!;
    const { sysclkHz, apb1Divider, apb2Divider, ahbDivider = 1 } = chip.clock;
    expect(sysclkHz).toBe(core! * MHZ);
    expect(sysclkHz / ahbDivider / apb1Divider).toBeLessThanOrEqual(apb1! * MHZ);
    expect(sysclkHz / ahbDivider / apb2Divider).toBeLessThanOrEqual(apb2! * MHZ);
  });

  it('reads flash as fast as it allows at 2.7 to 3.6 V, and not faster', () => {
    const { sysclkHz, flashWaitStates, ahbDivider = 1 } = chip.clock;
    const limits = PER_WAIT_STATE[chip.line === 'l4' && sysclkHz > 80 * MHZ ? 'l4+' : chip.line]!;
    expect(flashWaitStates).toBe(limits.findIndex((most) => sysclkHz / ahbDivider <= most * MHZ));
  });

  it('has the identifier and the memories of its chip', () => {
    const sectors = chip.flash.runs.map(({ count, bytes }) => `${count}x${bytes / 1024}`).join(' ');
    expect([chip.bootloader.chipId, chip.flash.bytes / 1024, dataRam(chip).bytes / 1024, sectors]).toEqual(
      CHIPS.get(chip.id),
    );
  });

  it('sets a baud rate that every clock it may run at can make within 2 %', () => {
    const uart = board.serial.peripheral;
    const bus = uart === 'usart1' || uart === 'usart6' ? 'apb2Divider' : 'apb1Divider';
    const { sysclkHz, ahbDivider = 1 } = chip.clock;
    const internal = { f0: 8, f1: 8, f3: 8, h7: 64 } as Readonly<Record<string, number>>;
    const factor = uart === 'lpuart1' ? 256 : 1;
    for (const hz of [sysclkHz / ahbDivider / chip.clock[bus], (internal[chip.line] ?? 16) * MHZ]) {
      const divisor = Math.round((factor * hz) / board.serial.baud);
      // The LPUART divides by 768 at least and by 20 bits at most (RM0351 41.7.4).
      if (uart === 'lpuart1') expect(divisor > 0x300 && divisor < 0x100000).toBe(true);
      expect(Math.abs((factor * hz) / divisor / board.serial.baud - 1)).toBeLessThan(0.02);
    }
  });

  it('offers DFU only where the chip’s boot loader has it', () => {
    const dfu = board.flash.some(({ method }) => method === 'usb-dfu');
    expect(dfu && !chip.bootloader.dfu).toBe(false);
    // Else tinyml would not see the board in that mode.
    if (dfu) expect(board.usb.some(({ vid, pid }) => vid === 0x0483 && pid === 0xdf11)).toBe(true);
  });

  it('has a drive only with an ST-LINK that shows one', () => {
    const drives = board.flash.some(({ method }) => method === 'mass-storage');
    const probes = board.usb.some(({ vid, pid }) => vid === 0x0483 && (pid === 0x374b || pid === 0x374e));
    expect(drives && !probes).toBe(false);
  });
});

describe('virtual-rv32imc', () => {
  const board = loadBoard('virtual-rv32imc');

  it('has RAM right behind its flash, so that a stack that runs over meets what cannot be written', () => {
    const { flash } = board.chip;
    expect(dataRam(board.chip).origin).toBe(flash.origin + flash.bytes);
  });

  it('is refused with the fields of another family', () => {
    const { chip, family: _family, ...file } = board;
    const page = { ...file, chip: chip.id, clock: { source: 'internal' } };
    expect(() => readBoard(JSON.stringify(page), 'mine.json')).toThrowError(
      'mine.json: /clock: is not a field of board files',
    );
  });
});

describe('the set of boards', () => {
  it('holds the default board and four makers’ boards at least', () => {
    expect(boardIds()).toEqual(
      expect.arrayContaining(['virtual-stm32f405', 'nucleo-f446re', 'stm32f4-discovery', 'blackpill-f411ce']),
    );
  });

  it('refuses an unknown board with the list and the nearest match', () => {
    expect(() => loadBoard('virtual-stm32f450')).toThrowError(
      expect.objectContaining({
        code: 'E_UNKNOWN_BOARD',
        exit: 1,
        message: expect.stringContaining('did you mean virtual-stm32f405?'),
        measure: [expect.stringContaining('nucleo-f446re')],
      }),
    );
  });

  it.each(['', '__proto__', 'constructor', '../chips/stm32f405rg', 'x'.repeat(100_000), 'chips/stm32f405rg'])(
    'refuses the name %.20s',
    (name) => {
      expect(() => loadBoard(name)).toThrowError(expect.objectContaining({ code: 'E_UNKNOWN_BOARD' }));
    },
  );

  it('reads a user’s own board by the same rules', () => {
    const mine = {
      id: 'mine',
      name: 'My board',
      vendor: 'me',
      page: 'https://example.org/board',
      chip: 'stm32f411ce',
      usb: [],
      clock: { source: 'internal' },
      serial: { peripheral: 'usart6', tx: 'PA11', rx: 'PA12', baud: 460800, reach: 'a cable' },
      flash: [{ method: 'st-link', how: 'the SWD header' }],
    };
    expect(readBoard(JSON.stringify(mine), 'mine.json')).toMatchObject({
      id: 'mine',
      chip: { id: 'stm32f411ce' },
    });
    const elsewhere = { ...mine, serial: { ...mine.serial, tx: 'PA9' } };
    expect(() => readBoard(JSON.stringify(elsewhere), 'mine.json')).toThrowError(
      'mine.json: /serial/tx: PA9 is not a tx pin of usart6; pins: PA11',
    );
  });
});
