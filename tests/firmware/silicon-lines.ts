/** Contents of registers by address, in lower-case hexadecimal without 0x. */
export type Registers = Readonly<Record<string, number>>;

/** How working silicon of a line answers, and what the contents of its registers mean, by its reference manual. */
export interface SiliconLine {
  /** `name status mask control bits shift`: bits that follow others; see silicon.c. */
  readonly rules: readonly string[];
  readonly internalHz: number;
  /** Frequencies in hertz that the registers' contents mean, with an oscillator of `hseHz` at the pins. */
  readonly meaning: (registers: Registers, hseHz: number) => Clocks;
  /** Addresses of ports' registers, to see what a pin is used for. */
  readonly gpioBase: number;
  readonly flashAcr: number;
  /** Whether the contents say that the core runs from its PLL. */
  readonly onPll: (registers: Registers) => boolean;
}

export interface Clocks {
  readonly pllInput: number;
  readonly vco: number | undefined;
  readonly core: number;
  readonly ahb: number;
  readonly apb1: number;
  readonly apb2: number;
}

export const MHZ = 1_000_000;

export const bits = (value: number, low: number, count: number) => (value >>> low) & (2 ** count - 1);
const at = (registers: Registers, address: number) => registers[address.toString(16).padStart(8, '0')] ?? 0;
export const register = at;

/** Dividers of APB and AHB prescalers by their fields. */
const apb = (code: number) => (code < 4 ? 1 : 2 ** (code - 3));
const ahb = (code: number) => (code < 8 ? 1 : 2 ** (code - 7));

const hseRule = (cr: string) => `hse ${cr} 20000 ${cr} 10000 1`;
const pllRule = (cr: string) => `pll ${cr} 2000000 ${cr} 1000000 1`;

/** RM0091, RM0008, RM0316: RCC at 0x40021000. */
function f1Line(hasSecondBus: boolean, coarseDivider: boolean): SiliconLine {
  return {
    internalHz: 8 * MHZ,
    gpioBase: hasSecondBus && coarseDivider ? 0x40010800 : 0x48000000,
    flashAcr: 0x40022000,
    onPll: (registers) => bits(at(registers, 0x40021004), 0, 2) === 2,
    rules: [
      'hsi 40021000 2 40021000 1 1',
      hseRule('40021000'),
      pllRule('40021000'),
      'switch 40021004 c 40021004 3 2',
      'flash 40022000 7 40022000 7 0',
    ],
    meaning: (registers, hseHz) => {
      const cfgr = at(registers, 0x40021004);
      const divided = coarseDivider
        ? hseHz / (bits(cfgr, 17, 1) + 1)
        : hseHz / (bits(at(registers, 0x4002102c), 0, 4) + 1);
      const pllInput = bits(cfgr, 16, 1) ? divided : 4 * MHZ;
      const core = pllInput * Math.min(16, bits(cfgr, 18, 4) + 2);
      const ahbHz = core / ahb(bits(cfgr, 4, 4));
      const apb1 = ahbHz / apb(bits(cfgr, 8, 3));
      return {
        pllInput,
        vco: undefined,
        core,
        ahb: ahbHz,
        apb1,
        apb2: hasSecondBus ? ahbHz / apb(bits(cfgr, 11, 3)) : apb1,
      };
    },
  };
}

/** RM0033, RM0090, RM0385: RCC at 0x40023800. */
const f4: SiliconLine = {
  internalHz: 16 * MHZ,
  gpioBase: 0x40020000,
  flashAcr: 0x40023c00,
  onPll: (registers) => bits(at(registers, 0x40023808), 0, 2) === 2,
  rules: [
    'hsi 40023800 2 40023800 1 1',
    hseRule('40023800'),
    pllRule('40023800'),
    'switch 40023808 c 40023808 3 2',
    'flash 40023c00 f 40023c00 f 0',
    'over-drive 40007004 30000 40007000 30000 0',
  ],
  meaning: (registers, hseHz) => {
    const pll = at(registers, 0x40023804);
    const cfgr = at(registers, 0x40023808);
    const pllInput = (bits(pll, 22, 1) ? hseHz : 16 * MHZ) / bits(pll, 0, 6);
    const vco = pllInput * bits(pll, 6, 9);
    const core = vco / (2 * bits(pll, 16, 2) + 2);
    const ahbHz = core / ahb(bits(cfgr, 4, 4));
    return {
      pllInput,
      vco,
      core,
      ahb: ahbHz,
      apb1: ahbHz / apb(bits(cfgr, 10, 3)),
      apb2: ahbHz / apb(bits(cfgr, 13, 3)),
    };
  },
};

/** RM0367. */
const l0: SiliconLine = {
  internalHz: 16 * MHZ,
  gpioBase: 0x50000000,
  flashAcr: 0x40022000,
  onPll: (registers) => bits(at(registers, 0x4002100c), 0, 2) === 3,
  rules: [
    'hsi 40021000 4 40021000 1 2',
    hseRule('40021000'),
    pllRule('40021000'),
    'switch 4002100c c 4002100c 3 2',
    'flash 40022000 1 40022000 1 0',
  ],
  meaning: (registers, hseHz) => {
    const cfgr = at(registers, 0x4002100c);
    const pllInput = bits(cfgr, 16, 1) ? hseHz : 16 * MHZ;
    const vco = pllInput * [3, 4, 6, 8, 12, 16, 24, 32, 48][bits(cfgr, 18, 4)]!;
    const core = vco / (bits(cfgr, 22, 2) + 1);
    const ahbHz = core / ahb(bits(cfgr, 4, 4));
    return {
      pllInput,
      vco,
      core,
      ahb: ahbHz,
      apb1: ahbHz / apb(bits(cfgr, 8, 3)),
      apb2: ahbHz / apb(bits(cfgr, 11, 3)),
    };
  },
};

/** RM0351, RM0432, RM0440: R at bits 25 and 26. */
function l4Line(inputDividerBits: number): SiliconLine {
  return {
    internalHz: 16 * MHZ,
    gpioBase: 0x48000000,
    flashAcr: 0x40022000,
    onPll: (registers) => bits(at(registers, 0x40021008), 0, 2) === 3,
    rules: [
      'hsi 40021000 400 40021000 100 2',
      hseRule('40021000'),
      pllRule('40021000'),
      'switch 40021008 c 40021008 3 2',
      'flash 40022000 f 40022000 f 0',
    ],
    meaning: (registers, hseHz) => {
      const pll = at(registers, 0x4002100c);
      const cfgr = at(registers, 0x40021008);
      const pllInput = (bits(pll, 0, 2) === 3 ? hseHz : 16 * MHZ) / (bits(pll, 4, inputDividerBits) + 1);
      const vco = pllInput * bits(pll, 8, 7);
      const core = bits(pll, 24, 1) ? vco / (2 * bits(pll, 25, 2) + 2) : 0;
      const ahbHz = core / ahb(bits(cfgr, 4, 4));
      return {
        pllInput,
        vco,
        core,
        ahb: ahbHz,
        apb1: ahbHz / apb(bits(cfgr, 8, 3)),
        apb2: ahbHz / apb(bits(cfgr, 11, 3)),
      };
    },
  };
}

/** RM0444: R at bits 29 to 31, one bus. */
const g0: SiliconLine = {
  internalHz: 16 * MHZ,
  gpioBase: 0x50000000,
  flashAcr: 0x40022000,
  onPll: (registers) => bits(at(registers, 0x40021008), 0, 3) === 2,
  rules: [
    'hsi 40021000 400 40021000 100 2',
    hseRule('40021000'),
    pllRule('40021000'),
    'switch 40021008 38 40021008 7 3',
    'flash 40022000 7 40022000 7 0',
  ],
  meaning: (registers, hseHz) => {
    const pll = at(registers, 0x4002100c);
    const cfgr = at(registers, 0x40021008);
    const pllInput = (bits(pll, 0, 2) === 3 ? hseHz : 16 * MHZ) / (bits(pll, 4, 3) + 1);
    const vco = pllInput * bits(pll, 8, 7);
    const core = bits(pll, 28, 1) ? vco / (bits(pll, 29, 3) + 1) : 0;
    const ahbHz = core / ahb(bits(cfgr, 8, 4));
    const apb1 = ahbHz / apb(bits(cfgr, 12, 3));
    return { pllInput, vco, core, ahb: ahbHz, apb1, apb2: apb1 };
  },
};

/** RM0433. */
const h7: SiliconLine = {
  internalHz: 64 * MHZ,
  gpioBase: 0x58020000,
  flashAcr: 0x52002000,
  onPll: (registers) => bits(at(registers, 0x58024410), 0, 3) === 3,
  rules: [
    'hsi 58024400 4 58024400 1 2',
    hseRule('58024400'),
    pllRule('58024400'),
    'switch 58024410 38 58024410 7 3',
    'flash 52002000 f 52002000 f 0',
    'regulator 58024804 2000 5802480c 2 12',
    'voltage 58024818 2000 58024818 4000 -1',
  ],
  meaning: (registers, hseHz) => {
    const select = at(registers, 0x58024428);
    const divider = at(registers, 0x58024430);
    const pllInput = (bits(select, 0, 2) === 2 ? hseHz : 64 * MHZ) / bits(select, 4, 6);
    const vco = pllInput * (bits(divider, 0, 9) + 1);
    const core = vco / (bits(divider, 9, 7) + 1) / ahb(bits(at(registers, 0x58024418), 8, 4));
    const ahbHz = core / ahb(bits(at(registers, 0x58024418), 0, 4));
    const d2 = at(registers, 0x5802441c);
    return {
      pllInput,
      vco,
      core,
      ahb: ahbHz,
      apb1: ahbHz / apb(bits(d2, 4, 3)),
      apb2: ahbHz / apb(bits(d2, 8, 3)),
    };
  },
};

/** RM0456. */
const u5: SiliconLine = {
  internalHz: 16 * MHZ,
  gpioBase: 0x42020000,
  flashAcr: 0x40022000,
  onPll: (registers) => bits(at(registers, 0x46020c1c), 0, 2) === 3,
  rules: [
    'hsi 46020c00 400 46020c00 100 2',
    hseRule('46020c00'),
    pllRule('46020c00'),
    'switch 46020c1c c 46020c1c 3 2',
    'flash 40022000 f 40022000 f 0',
    'voltage 4602080c 8000 4602080c 20000 -2',
    'booster 4602080c 4000 4602080c 40000 -4',
  ],
  meaning: (registers, hseHz) => {
    const pll = at(registers, 0x46020c28);
    const divider = at(registers, 0x46020c34);
    const cfgr2 = at(registers, 0x46020c20);
    const pllInput = (bits(pll, 0, 2) === 3 ? hseHz : 16 * MHZ) / (bits(pll, 8, 4) + 1);
    const vco = pllInput * (bits(divider, 0, 9) + 1);
    const core = bits(pll, 18, 1) ? vco / (bits(divider, 24, 7) + 1) : 0;
    const ahbHz = core / ahb(bits(cfgr2, 0, 4));
    return {
      pllInput,
      vco,
      core,
      ahb: ahbHz,
      apb1: ahbHz / apb(bits(cfgr2, 4, 3)),
      apb2: ahbHz / apb(bits(cfgr2, 8, 3)),
    };
  },
};

/** By the chip's id, since the F100 and the L4+ differ from their lines. */
export function siliconOf(chipId: string): SiliconLine {
  const kinds: readonly (readonly [RegExp, SiliconLine])[] = [
    [/^stm32f0/, f1Line(false, false)],
    [/^stm32f103/, f1Line(true, true)],
    [/^stm32f100/, { ...f1Line(true, false), gpioBase: 0x40010800 }],
    [/^stm32f3/, f1Line(true, false)],
    [/^stm32f[247]/, f4],
    [/^stm32g0/, g0],
    [/^stm32g4/, l4Line(4)],
    [/^stm32h7/, h7],
    [/^stm32l0/, l0],
    [/^stm32l4r/, l4Line(4)],
    [/^stm32l4/, l4Line(3)],
    [/^stm32u5/, u5],
  ];
  const found = kinds.find(([pattern]) => pattern.test(chipId));
  if (!found) throw new Error(`no model of ${chipId}`);
  return found[1];
}

/** VCO and input ranges of the PLLs in hertz (data sheets, PLL characteristics). */
export function pllLimits(chipId: string): { input: [number, number]; vco: [number, number] } {
  if (/^stm32f[247]/.test(chipId)) return { input: [0.95 * MHZ, 2.1 * MHZ], vco: [100 * MHZ, 432 * MHZ] };
  if (/^stm32f[013]/.test(chipId)) return { input: [1 * MHZ, 25 * MHZ], vco: [0, 0] };
  if (/^stm32l0/.test(chipId)) return { input: [2 * MHZ, 24 * MHZ], vco: [16 * MHZ, 96 * MHZ] };
  if (/^stm32l4/.test(chipId)) return { input: [4 * MHZ, 16 * MHZ], vco: [64 * MHZ, 344 * MHZ] };
  if (/^stm32g/.test(chipId)) return { input: [2.66 * MHZ, 16 * MHZ], vco: [96 * MHZ, 344 * MHZ] };
  if (/^stm32h7/.test(chipId)) return { input: [2 * MHZ, 4 * MHZ], vco: [192 * MHZ, 836 * MHZ] };
  return { input: [4 * MHZ, 8 * MHZ], vco: [128 * MHZ, 544 * MHZ] };
}
