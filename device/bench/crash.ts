import { BodyReader } from './body-reader.ts';

/** Registers of a crash frame, in its order. */
const NAMES = [
  'pc',
  'lr',
  'psr',
  'sp',
  'cfsr',
  'hfsr',
  'mmfar',
  'bfar',
  'r0',
  'r1',
  'r2',
  'r3',
  'r12',
] as const;

export type CrashRegister = (typeof NAMES)[number];

export interface Crash {
  readonly registers: Readonly<Record<CrashRegister, number>>;
  /** What the fault status bits mean, most telling first; never empty. */
  readonly causes: readonly string[];
}

/** ARMv7-M Architecture Reference Manual, B3.2.15: configurable fault status register. */
const CFSR_BITS: readonly (readonly [number, string])[] = [
  [25, 'division by zero'],
  [24, 'unaligned access'],
  [19, 'floating point used while it is switched off'],
  [18, 'invalid return from an exception'],
  [17, 'jump to an address without the Thumb bit'],
  [16, 'undefined instruction'],
  [12, 'bus error while an exception saved registers: the stack is full or its pointer wrong'],
  [11, 'bus error while an exception restored registers'],
  [13, 'bus error while floating-point registers were saved'],
  [10, 'bus error on an earlier write (imprecise)'],
  [9, 'bus error on a read or write'],
  [8, 'bus error on fetching an instruction'],
  [4, 'memory protection while an exception saved registers: the stack is full'],
  [3, 'memory protection while an exception restored registers'],
  [5, 'memory protection while floating-point registers were saved'],
  [1, 'memory protection on a read or write'],
  [0, 'memory protection on fetching an instruction'],
];
const MMFAR_VALID = 1 << 7;
const BFAR_VALID = 1 << 15;

/** B3.2.16: hard fault status register. */
const HFSR_VECTOR_TABLE = 1 << 1;

const hex = (value: number) => `0x${value.toString(16).padStart(8, '0')}`;

function causesOf(registers: Crash['registers']): string[] {
  const causes = CFSR_BITS.filter(([bit]) => registers.cfsr & (1 << bit)).map(([, text]) => text);
  if (registers.hfsr & HFSR_VECTOR_TABLE) causes.push('the vector table could not be read');
  if (registers.cfsr & BFAR_VALID) causes.push(`at address ${hex(registers.bfar)}`);
  if (registers.cfsr & MMFAR_VALID) causes.push(`at address ${hex(registers.mmfar)}`);
  return causes.length > 0 ? causes : ['hard fault without a recorded cause'];
}

/** Undefined when the body is not that of a crash frame. */
export function parseCrash(body: Uint8Array): Crash | undefined {
  const reader = new BodyReader(body);
  const values = NAMES.map((name) => [name, reader.u32()] as const);
  if (!reader.exact) return undefined;
  const registers = Object.fromEntries(values) as Record<CrashRegister, number>;
  return { registers, causes: causesOf(registers) };
}

/** The registers in lines for a message. */
export function crashLines(crash: Crash): string[] {
  const show = (names: readonly CrashRegister[]) =>
    names.map((name) => `${name} ${hex(crash.registers[name])}`).join('  ');
  return [
    show(['pc', 'lr', 'psr', 'sp']),
    show(['cfsr', 'hfsr', 'mmfar', 'bfar']),
    show(['r0', 'r1', 'r2', 'r3', 'r12']),
  ];
}
