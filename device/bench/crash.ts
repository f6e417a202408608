import { BodyReader } from './body-reader.ts';
import { CRASH, CRASH_RISCV, CRASH_XTENSA } from './frames.ts';

export interface Crash {
  /** By name, in the order of the frame. */
  readonly registers: ReadonlyMap<string, number>;
  /** What the fault status means, most telling first; never empty. */
  readonly causes: readonly string[];
  /** The registers in lines for a message. */
  readonly lines: readonly string[];
}

/** How a kind of processor tells a crash. */
interface CrashForm {
  /** Names of the registers in the order of the frame, one list for each line of a message. */
  readonly lines: readonly (readonly string[])[];
  causesOf(register: (name: string) => number): string[];
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

const cortexM: CrashForm = {
  lines: [
    ['pc', 'lr', 'psr', 'sp'],
    ['cfsr', 'hfsr', 'mmfar', 'bfar'],
    ['r0', 'r1', 'r2', 'r3', 'r12'],
  ],
  causesOf(register) {
    const cfsr = register('cfsr');
    const causes = CFSR_BITS.filter(([bit]) => cfsr & (1 << bit)).map(([, text]) => text);
    if (register('hfsr') & HFSR_VECTOR_TABLE) causes.push('the vector table could not be read');
    if (cfsr & BFAR_VALID) causes.push(`at address ${hex(register('bfar'))}`);
    if (cfsr & MMFAR_VALID) causes.push(`at address ${hex(register('mmfar'))}`);
    return causes.length > 0 ? causes : ['hard fault without a recorded cause'];
  },
};

/** RISC-V Privileged Architecture, 3.1.15: exception codes of mcause; the rest cannot happen in machine mode. */
const MCAUSES = new Map([
  [0, 'jump to an address that is not even'],
  [1, 'instruction fetched from where no code may be'],
  [2, 'illegal instruction'],
  [3, 'breakpoint instruction'],
  [4, 'misaligned read'],
  [5, 'read from where no memory may be read'],
  [6, 'misaligned write'],
  [7, 'write to where no memory may be written'],
  [11, 'environment call'],
]);
/** Codes for which mtval holds the address. */
const MCAUSES_WITH_ADDRESS = new Set([0, 1, 4, 5, 6, 7]);

const riscV: CrashForm = {
  lines: [
    ['pc', 'ra', 'mstatus', 'sp'],
    ['mcause', 'mtval'],
    ['a0', 'a1', 'a2', 'a3', 'a4', 'a5', 't0'],
  ],
  causesOf(register) {
    const code = register('mcause');
    const cause = MCAUSES.get(code) ?? `trap with cause ${hex(code)}`;
    return MCAUSES_WITH_ADDRESS.has(code) ? [cause, `at address ${hex(register('mtval'))}`] : [cause];
  },
};

/** Xtensa ISA Reference Manual, table of exception causes. */
const EXCCAUSES = new Map([
  [0, 'illegal instruction'],
  [1, 'system call'],
  [2, 'instruction fetched from where no code may be'],
  [3, 'read or write that the memory does not allow'],
  [6, 'division by zero'],
  [8, 'privileged instruction'],
  [9, 'misaligned read or write'],
  [14, 'instruction fetched from where there is no memory'],
  [15, 'read or write where there is no memory'],
  [20, 'instruction fetched from where no code may be'],
  [28, 'read from where no memory may be read'],
  [29, 'write to where no memory may be written'],
]);
/** Codes for which excvaddr holds the address. */
const EXCCAUSES_WITH_ADDRESS = new Set([2, 3, 9, 14, 15, 20, 28, 29]);

const xtensa: CrashForm = {
  lines: [
    ['pc', 'a0', 'ps', 'sp'],
    ['exccause', 'excvaddr'],
    ['a2', 'a3', 'a4', 'a5', 'a6', 'a7', 'a8'],
  ],
  causesOf(register) {
    const code = register('exccause');
    const cause = EXCCAUSES.get(code) ?? `exception with cause ${hex(code)}`;
    return EXCCAUSES_WITH_ADDRESS.has(code) ? [cause, `at address ${hex(register('excvaddr'))}`] : [cause];
  },
};

/** What registers of a Cortex-M, a RISC-V or an Xtensa core mean that were found in a text, by their names in lower case. */
export function causesIn(registers: ReadonlyMap<string, number>): string[] {
  const register = (name: string) => registers.get(name) ?? 0;
  if (registers.has('mcause')) return riscV.causesOf(register);
  if (registers.has('exccause')) return xtensa.causesOf(register);
  return registers.has('cfsr') || registers.has('hfsr') ? cortexM.causesOf(register) : [];
}

const FORMS: ReadonlyMap<number, CrashForm> = new Map([
  [CRASH, cortexM],
  [CRASH_RISCV, riscV],
  [CRASH_XTENSA, xtensa],
]);

/** Whether a frame of this type tells of a crash. */
export const isCrash = (type: number): boolean => FORMS.has(type);

/** Undefined when it is not a whole crash frame. */
export function parseCrash(type: number, body: Uint8Array): Crash | undefined {
  const form = FORMS.get(type);
  if (!form) return undefined;
  const reader = new BodyReader(body);
  const registers = new Map(form.lines.flat().map((name) => [name, reader.u32()]));
  if (!reader.exact) return undefined;
  const register = (name: string) => registers.get(name) ?? 0;
  return {
    registers,
    causes: form.causesOf(register),
    lines: form.lines.map((names) => names.map((name) => `${name} ${hex(register(name))}`).join('  ')),
  };
}
