import { causesIn } from '../bench/crash.ts';

/** An address of code that a crash dump names. */
export interface CodeAddress {
  /** What the dump calls it: a register, or `#0` and on for the frames of a backtrace. */
  readonly label: string;
  readonly address: number;
  /** The instruction after a call, which may be the first of another function. */
  readonly isReturn: boolean;
}

export interface CrashLine {
  readonly addresses: readonly CodeAddress[];
  /** What fault registers on this line mean. */
  readonly causes: readonly string[];
}

/** How dumps begin: ESP-IDF; Zephyr; Mbed OS; and what hand-written fault handlers print. */
const BEGIN =
  /guru meditation|register dump|hard ?fault|(bus|usage|mpu|mem(ory)? ?manage(ment)?) ?fault|fatal error|fault handler|panic/i;
/** The longest of these, ESP-IDF's with its stack memory, has 60. */
const DUMP_LINES = 80;

const BACKTRACE = /backtrace:?\s+((?:0x[0-9a-f]{8}:0x[0-9a-f]{8}\s*)+)/i;
/** `PC : 0x400d1d5b`, `(r15/pc): 0x0800...`, `LR [R14] = 08000214`, `[LR]: 0x...`. */
const REGISTER = /\b(mepc|pc|lr|ra|a0|epc1)\b(?:\s*\[r1[45]\])?[\])]*\s*[:=]\s*(?:0x)?([0-9a-f]{8})\b/gi;
const FAULT_REGISTER = /\b(mcause|mtval|cfsr|hfsr|bfar|mmfar)\b[\])]*\s*[:=]\s*(?:0x)?([0-9a-f]{1,8})\b/gi;
/** ESP-IDF on RISC-V: address and words of the stack, for want of a backtrace. */
const STACK_WORDS = /^\s*[0-9a-f]{8}:((?:\s+0x[0-9a-f]{8}){2,})/i;
const NOTHING: CrashLine = { addresses: [], causes: [] };
const RETURNS = new Set(['lr', 'ra', 'a0']);

const hexOf = (text: string) => Number.parseInt(text, 16) >>> 0;

/** Xtensa LX ISA, windowed calls: the top two bits of a return address say how far the window turns. */
const unwindow = (address: number) => ((address & 0x3fffffff) | 0x40000000) >>> 0;

function backtraceOf(line: string): CodeAddress[] {
  const frames = BACKTRACE.exec(line)?.[1]?.trim().split(/\s+/) ?? [];
  return frames.map((frame, i) => ({ label: `#${i}`, address: hexOf(frame.slice(2, 10)), isReturn: i > 0 }));
}

function registersOf(line: string): CodeAddress[] {
  // A0 returns to the caller on Xtensa, whose dumps have PS beside it; on RISC-V it is an argument.
  const xtensa = /\bPS\s*:/.test(line);
  return [...line.matchAll(REGISTER)]
    .map(([, name = '', value = '']) => ({ name: name.toLowerCase(), value: hexOf(value) }))
    .filter(({ name }) => name !== 'a0' || xtensa)
    .map(({ name, value }) => ({
      label: name.toUpperCase(),
      address: name === 'a0' ? unwindow(value) : value,
      isReturn: RETURNS.has(name),
    }));
}

function stackWordsOf(line: string): CodeAddress[] {
  const words = STACK_WORDS.exec(line)?.[1]?.trim().split(/\s+/) ?? [];
  return words.map((word) => ({ label: 'stack', address: hexOf(word.slice(2)), isReturn: true }));
}

/** Finds the addresses worth a name in what a board prints while it crashes. */
export class CrashText {
  private left = 0;
  private stack = false;

  /** One line, without its end. */
  take(line: string): CrashLine {
    if (BEGIN.test(line)) this.left = DUMP_LINES;
    if (this.left === 0 && !line.includes('0x')) return NOTHING;
    const backtrace = backtraceOf(line);
    if (backtrace.length > 0) return { addresses: backtrace, causes: [] };
    if (this.left === 0) return NOTHING;
    this.left--;
    if (/stack memory/i.test(line)) this.stack = true;
    const registers = new Map(
      [...line.matchAll(FAULT_REGISTER)].map(([, name = '', value = '']) => [
        name.toLowerCase(),
        hexOf(value),
      ]),
    );
    const causes = causesIn(registers);
    return { addresses: [...registersOf(line), ...(this.stack ? stackWordsOf(line) : [])], causes };
  }
}
