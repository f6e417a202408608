import type { Bus, RomFunction } from './bus.ts';
import { multiplyHigh, multiplyHighUnsigned } from './multiply-high.ts';
import { decode, lengthOf, Op } from './xtensa-decode.ts';

/** Special registers by number (Xtensa ISA Reference Manual, table 5-127). */
const SPECIAL = {
  sar: 3,
  epc1: 177,
  depc: 192,
  ps: 230,
  cpenable: 224,
  vecbase: 231,
  exccause: 232,
  ccount: 234,
  excvaddr: 238,
} as const;

const PS_INTLEVEL = 15;
const PS_EXCM = 16;
const PS_UM = 32;

/** Causes of exceptions (table 4-64). */
const CAUSE = {
  illegal: 0,
  syscall: 1,
  fetch: 14,
  loadStore: 3,
  divisionByZero: 6,
  misaligned: 9,
  loadStoreAddress: 15,
  coprocessor: 32,
} as const;

/** Where exceptions enter, from VECBASE on: the core's own choice, as core-isa.h of ESP-IDF has it. */
const VECTOR = { kernel: 0x300, user: 0x340, double: 0x3c0 } as const;

class Exception {
  readonly cause: number;
  readonly address: number;
  constructor(cause: number, address: number) {
    this.cause = cause;
    this.address = address;
  }
}

interface Memory {
  readonly bytes: Uint8Array;
  readonly address: number;
}

export interface XtensaOptions {
  /** RAM for instructions and their literals, which gives and takes whole words only. */
  readonly code: Memory;
  readonly data: Memory;
  readonly bus: Bus;
  /** Functions of the ROM by address, which have register windows. */
  readonly rom?: ReadonlyMap<number, RomFunction>;
}

/** The first argument of a call that moves the register window by eight. */
const WINDOWED_ARGUMENT = 10;

function leadingZeros(value: number): number {
  return Math.clz32(value);
}

/** Bits beside the sign that are equal to it. */
const signBits = (value: number) => leadingZeros(value < 0 ? ~value : value) - 1;

/** To a whole number, as far as there is one. */
function truncated(value: number): number {
  if (Number.isNaN(value)) return 0x7fffffff;
  return Math.min(Math.max(Math.trunc(value), -0x80000000), 0x7fffffff);
}

const clamped = (value: number, bits: number) => Math.min(Math.max(value, -(2 ** bits)), 2 ** bits - 1);

/**
 * An Xtensa core as programs without register windows use it, with the options of the ESP32's LX6 but for MAC16 and
 * loops; of floating point it has what firmware of ours uses. It takes no interrupts. CCOUNT counts the instructions that it completes.
 */
export class XtensaCore {
  readonly registers = new Int32Array(16);
  pc = 0;
  /** Instructions completed since the reset. */
  retired = 0;
  private readonly floats = new Float32Array(16);
  private readonly floatBits = new Int32Array(this.floats.buffer);
  private readonly special = new Int32Array(256);
  private readonly options: XtensaOptions;
  private readonly codeWords: Int32Array;
  private readonly bytes: Uint8Array;
  private readonly halves: Int16Array;
  private readonly words: Int32Array;
  private readonly ops: Uint8Array;
  /** d, a and b in four bits each, and the length above them. */
  private readonly fields: Uint16Array;
  private readonly immediates: Int32Array;
  private readonly seconds: Int32Array;
  private ccountBase = 0;
  private stopping = false;
  private lastExceptionAt = -1;
  private stuck = false;

  constructor(options: XtensaOptions) {
    const { code, data } = options;
    const size = code.bytes.length;
    this.options = options;
    this.codeWords = new Int32Array(code.bytes.buffer, code.bytes.byteOffset, size >> 2);
    this.bytes = data.bytes;
    this.halves = new Int16Array(data.bytes.buffer, data.bytes.byteOffset, data.bytes.length >> 1);
    this.words = new Int32Array(data.bytes.buffer, data.bytes.byteOffset, data.bytes.length >> 2);
    this.ops = new Uint8Array(size);
    this.fields = new Uint16Array(size);
    this.immediates = new Int32Array(size);
    this.seconds = new Int32Array(size);
  }

  /** Starts at an address, with memory as it is. */
  reset(pc: number): void {
    this.registers.fill(0);
    this.special.fill(0);
    this.special[SPECIAL.ps] = PS_INTLEVEL | PS_EXCM;
    this.retired = 0;
    this.ccountBase = 0;
    this.lastExceptionAt = -1;
    this.stuck = false;
    this.pc = pc;
    this.ops.fill(Op.undecoded);
  }

  /** Whether an exception led to an exception, so that the core makes no step any more. */
  get lockedUp(): boolean {
    return this.stuck && this.lastExceptionAt === this.retired;
  }

  /** Lets `run` return after the instruction that is under way. */
  stop(): void {
    this.stopping = true;
  }

  /** Runs until `limit` instructions were completed or something called `stop`; returns how many were. */
  run(limit: number): number {
    const before = this.retired;
    this.stopping = false;
    while (!this.stopping && this.retired - before < limit) {
      try {
        this.execute(before + limit);
      } catch (exception) {
        if (!(exception instanceof Exception)) throw exception;
        this.enter(exception);
        if (this.stuck) break;
      }
    }
    return this.retired - before;
  }

  private enter({ cause, address }: Exception): void {
    const { special } = this;
    const status = special[SPECIAL.ps]!;
    this.stuck = this.lastExceptionAt === this.retired;
    this.lastExceptionAt = this.retired;
    special[SPECIAL.exccause] = cause;
    special[SPECIAL.excvaddr] = address;
    special[status & PS_EXCM ? SPECIAL.depc : SPECIAL.epc1] = this.pc;
    special[SPECIAL.ps] = status | PS_EXCM;
    const offset = status & PS_EXCM ? VECTOR.double : status & PS_UM ? VECTOR.user : VECTOR.kernel;
    this.pc = (special[SPECIAL.vecbase]! >>> 0) + offset;
  }

  private decodeAt(index: number): void {
    const { code } = this.options;
    const { bytes } = code;
    const pc = code.address + index;
    const word = bytes[index]! | (bytes[index + 1]! << 8) | ((bytes[index + 2] ?? 0) << 16);
    const length = lengthOf(word);
    const { op, d, a, b, immediate, second } = decode(length === 2 ? word & 0xffff : word, pc);
    this.fields[index] = d | (a << 4) | (b << 8) | (length << 12);
    this.immediates[index] = immediate;
    this.seconds[index] = second;
    this.ops[index] = op;
  }

  private fetchFault(address: number): Exception {
    this.pc = address;
    return new Exception(CAUSE.fetch, address);
  }

  private load(address: number, bytes: number): number {
    if (address & (bytes - 1)) throw new Exception(CAUSE.misaligned, address);
    const { code, data, bus } = this.options;
    const place = address - code.address;
    if (place >= 0 && place < code.bytes.length) {
      if (bytes !== 4) throw new Exception(CAUSE.loadStore, address);
      return this.codeWords[place >> 2]!;
    }
    const offset = address - data.address;
    const inData = offset >= 0 && offset < data.bytes.length;
    const value = inData ? this.loadData(offset, bytes) : bus.load(address, bytes);
    if (value === undefined) throw new Exception(CAUSE.loadStoreAddress, address);
    return value;
  }

  private loadData(offset: number, bytes: number): number {
    if (bytes === 1) return this.bytes[offset]!;
    return bytes === 2 ? this.halves[offset >> 1]! & 0xffff : this.words[offset >> 2]!;
  }

  private store(address: number, bytes: number, value: number): void {
    if (address & (bytes - 1)) throw new Exception(CAUSE.misaligned, address);
    const { code, bus } = this.options;
    const place = address - code.address;
    if (place >= 0 && place < code.bytes.length) {
      if (bytes !== 4) throw new Exception(CAUSE.loadStore, address);
      this.codeWords[place >> 2] = value;
    } else if (!bus.store(address, bytes, value)) throw new Exception(CAUSE.loadStoreAddress, address);
  }

  private readSpecial(number: number): number {
    if (number === SPECIAL.ccount) return (this.retired - this.ccountBase) | 0;
    return this.special[number]!;
  }

  private writeSpecial(number: number, value: number): void {
    if (number === SPECIAL.ccount) this.ccountBase = this.retired - value;
    else this.special[number] = number === SPECIAL.sar ? value & 63 : value;
  }

  /** A call of the ROM with a moved window: its arguments and its result lie eight registers further. */
  private callRom(address: number): void {
    const call = this.options.rom?.get(address >>> 0);
    if (!call) throw this.fetchFault(address >>> 0);
    const { registers } = this;
    registers[WINDOWED_ARGUMENT] = call((index) => registers[WINDOWED_ARGUMENT + index]!);
  }

  /** The rare ones; returns the index to go on at. */
  private rare(op: number, field: number, immediate: number, next: number): number {
    const { registers: x, special } = this;
    const d = field & 15;
    const a = (field >> 4) & 15;
    switch (op) {
      case Op.rsr:
        x[d] = this.readSpecial(immediate);
        return next;
      case Op.wsr:
        this.writeSpecial(immediate, x[a]!);
        return next;
      case Op.xsr: {
        const before = this.readSpecial(immediate);
        this.writeSpecial(immediate, x[a]!);
        x[d] = before;
        return next;
      }
      case Op.adds:
      case Op.subs:
      case Op.muls:
      case Op.floats:
      case Op.ufloats:
      case Op.truncs:
      case Op.rfr:
      case Op.wfr:
        this.float(op, d, a, (field >> 8) & 15);
        return next;
      case Op.rsil:
        x[d] = special[SPECIAL.ps]!;
        special[SPECIAL.ps] = (special[SPECIAL.ps]! & ~PS_INTLEVEL) | immediate;
        return next;
      case Op.callx8:
        this.callRom(x[a]!);
        return next;
      case Op.rfe:
        special[SPECIAL.ps] = special[SPECIAL.ps]! & ~PS_EXCM;
        return (special[SPECIAL.epc1]! >>> 0) - this.options.code.address;
      case Op.syscall:
        throw new Exception(CAUSE.syscall, 0);
      default:
        throw new Exception(CAUSE.illegal, 0);
    }
  }

  /** Single precision: a double holds every sum and product of floats exactly enough to be rounded once. */
  private float(op: number, d: number, a: number, b: number): void {
    const { registers: x, floats: f, floatBits } = this;
    if (!(this.special[SPECIAL.cpenable]! & 1)) throw new Exception(CAUSE.coprocessor, 0);
    if (op === Op.adds) f[d] = f[a]! + f[b]!;
    else if (op === Op.subs) f[d] = f[a]! - f[b]!;
    else if (op === Op.muls) f[d] = f[a]! * f[b]!;
    else if (op === Op.floats) f[d] = x[a]! / 2 ** b;
    else if (op === Op.ufloats) f[d] = (x[a]! >>> 0) / 2 ** b;
    else if (op === Op.truncs) x[d] = truncated(f[a]! * 2 ** b);
    else if (op === Op.rfr) x[d] = floatBits[a]!;
    else floatBits[d] = x[a]!;
  }

  private divide(op: number, a: number, b: number): number {
    if (b === 0) throw new Exception(CAUSE.divisionByZero, 0);
    switch (op) {
      case Op.quou:
        return ((a >>> 0) / (b >>> 0)) | 0;
      case Op.quos:
        return (a / b) | 0;
      case Op.remu:
        return ((a >>> 0) % (b >>> 0)) | 0;
      default:
        return (a % b) | 0;
    }
  }

  /** One function holds the loop and all that is frequent: calls from it would cost more than what they do. */
  private execute(until: number): void {
    const { registers: x, special, ops, fields, immediates, seconds, bytes, halves, words, codeWords } = this;
    const codeAddress = this.options.code.address;
    const dataAddress = this.options.data.address;
    const size = bytes.length;
    const codeSize = ops.length;
    let index = this.pc - codeAddress;
    let count = this.retired;
    try {
      while (count < until && !this.stopping) {
        const op = ops[index]!;
        const field = fields[index]!;
        const immediate = immediates[index]!;
        const d = field & 15;
        const a = x[(field >> 4) & 15]!;
        const b = x[(field >> 8) & 15]!;
        const next = index + (field >> 12);
        switch (op) {
          case Op.add:
            x[d] = a + b;
            break;
          case Op.addi:
            x[d] = a + immediate;
            break;
          case Op.l32i: {
            const address = (a + immediate) >>> 0;
            const offset = address - dataAddress;
            if (offset >= 0 && offset < size && (offset & 3) === 0) x[d] = words[offset >> 2]!;
            else {
              this.retired = count;
              x[d] = this.load(address, 4);
            }
            break;
          }
          case Op.l8ui: {
            const address = (a + immediate) >>> 0;
            const offset = address - dataAddress;
            if (offset >= 0 && offset < size) x[d] = bytes[offset]!;
            else {
              this.retired = count;
              x[d] = this.load(address, 1);
            }
            break;
          }
          case Op.s32i: {
            const address = (a + immediate) >>> 0;
            const offset = address - dataAddress;
            if (offset >= 0 && offset < size && (offset & 3) === 0) words[offset >> 2] = b;
            else {
              this.retired = count;
              this.store(address, 4, b);
            }
            break;
          }
          case Op.s8i: {
            const address = (a + immediate) >>> 0;
            const offset = address - dataAddress;
            if (offset >= 0 && offset < size) bytes[offset] = b;
            else {
              this.retired = count;
              this.store(address, 1, b);
            }
            break;
          }
          case Op.l16ui: {
            const address = (a + immediate) >>> 0;
            const offset = address - dataAddress;
            if (offset >= 0 && offset < size && (offset & 1) === 0) x[d] = halves[offset >> 1]! & 0xffff;
            else {
              this.retired = count;
              x[d] = this.load(address, 2);
            }
            break;
          }
          case Op.l16si: {
            const address = (a + immediate) >>> 0;
            const offset = address - dataAddress;
            if (offset >= 0 && offset < size && (offset & 1) === 0) x[d] = halves[offset >> 1]!;
            else {
              this.retired = count;
              x[d] = (this.load(address, 2) << 16) >> 16;
            }
            break;
          }
          case Op.s16i: {
            const address = (a + immediate) >>> 0;
            const offset = address - dataAddress;
            if (offset >= 0 && offset < size && (offset & 1) === 0) halves[offset >> 1] = b;
            else {
              this.retired = count;
              this.store(address, 2, b);
            }
            break;
          }
          case Op.slli:
            x[d] = a << immediate;
            break;
          case Op.srai:
            x[d] = b >> immediate;
            break;
          case Op.srli:
            x[d] = b >>> immediate;
            break;
          case Op.extui:
            x[d] = (b >>> seconds[index]!) & immediate;
            break;
          case Op.mull:
            x[d] = Math.imul(a, b);
            break;
          case Op.mul16s:
            x[d] = Math.imul((a << 16) >> 16, (b << 16) >> 16);
            break;
          case Op.mul16u:
            x[d] = Math.imul(a & 0xffff, b & 0xffff);
            break;
          case Op.l32r: {
            const place = (immediate >>> 0) - codeAddress;
            if (place >= 0 && place < codeSize) x[d] = codeWords[place >> 2]!;
            else {
              this.retired = count;
              x[d] = this.load(immediate >>> 0, 4);
            }
            break;
          }
          case Op.movi:
            x[d] = immediate;
            break;
          case Op.or:
            x[d] = a | b;
            break;
          case Op.and:
            x[d] = a & b;
            break;
          case Op.xor:
            x[d] = a ^ b;
            break;
          case Op.sub:
            x[d] = a - b;
            break;
          case Op.addx2:
            x[d] = (a << 1) + b;
            break;
          case Op.addx4:
            x[d] = (a << 2) + b;
            break;
          case Op.addx8:
            x[d] = (a << 3) + b;
            break;
          case Op.subx2:
            x[d] = (a << 1) - b;
            break;
          case Op.subx4:
            x[d] = (a << 2) - b;
            break;
          case Op.subx8:
            x[d] = (a << 3) - b;
            break;
          case Op.neg:
            x[d] = -b;
            break;
          case Op.abs:
            x[d] = b < 0 ? -b : b;
            break;
          case Op.beqz:
            index = a === 0 ? immediate - codeAddress : next;
            count++;
            continue;
          case Op.bnez:
            index = a !== 0 ? immediate - codeAddress : next;
            count++;
            continue;
          case Op.bltz:
            index = a < 0 ? immediate - codeAddress : next;
            count++;
            continue;
          case Op.bgez:
            index = a >= 0 ? immediate - codeAddress : next;
            count++;
            continue;
          case Op.beq:
            index = a === b ? immediate - codeAddress : next;
            count++;
            continue;
          case Op.bne:
            index = a !== b ? immediate - codeAddress : next;
            count++;
            continue;
          case Op.blt:
            index = a < b ? immediate - codeAddress : next;
            count++;
            continue;
          case Op.bge:
            index = a >= b ? immediate - codeAddress : next;
            count++;
            continue;
          case Op.bltu:
            index = a >>> 0 < b >>> 0 ? immediate - codeAddress : next;
            count++;
            continue;
          case Op.bgeu:
            index = a >>> 0 >= b >>> 0 ? immediate - codeAddress : next;
            count++;
            continue;
          case Op.beqi:
            index = a === seconds[index]! ? immediate - codeAddress : next;
            count++;
            continue;
          case Op.bnei:
            index = a !== seconds[index]! ? immediate - codeAddress : next;
            count++;
            continue;
          case Op.blti:
            index = a < seconds[index]! ? immediate - codeAddress : next;
            count++;
            continue;
          case Op.bgei:
            index = a >= seconds[index]! ? immediate - codeAddress : next;
            count++;
            continue;
          case Op.bltui:
            index = a >>> 0 < seconds[index]! ? immediate - codeAddress : next;
            count++;
            continue;
          case Op.bgeui:
            index = a >>> 0 >= seconds[index]! ? immediate - codeAddress : next;
            count++;
            continue;
          case Op.bnone:
            index = (a & b) === 0 ? immediate - codeAddress : next;
            count++;
            continue;
          case Op.bany:
            index = (a & b) !== 0 ? immediate - codeAddress : next;
            count++;
            continue;
          case Op.ball:
            index = (~a & b) === 0 ? immediate - codeAddress : next;
            count++;
            continue;
          case Op.bnall:
            index = (~a & b) !== 0 ? immediate - codeAddress : next;
            count++;
            continue;
          case Op.bbc:
            index = ((a >>> (b & 31)) & 1) === 0 ? immediate - codeAddress : next;
            count++;
            continue;
          case Op.bbs:
            index = ((a >>> (b & 31)) & 1) !== 0 ? immediate - codeAddress : next;
            count++;
            continue;
          case Op.bbci:
            index = ((a >>> seconds[index]!) & 1) === 0 ? immediate - codeAddress : next;
            count++;
            continue;
          case Op.bbsi:
            index = ((a >>> seconds[index]!) & 1) !== 0 ? immediate - codeAddress : next;
            count++;
            continue;
          case Op.j:
            index = immediate - codeAddress;
            count++;
            continue;
          case Op.jx:
            index = (a >>> 0) - codeAddress;
            count++;
            continue;
          case Op.call0:
            x[0] = codeAddress + next;
            index = immediate - codeAddress;
            count++;
            continue;
          case Op.callx0:
            x[0] = codeAddress + next;
            index = (a >>> 0) - codeAddress;
            count++;
            continue;
          case Op.moveqz:
            if (b === 0) x[d] = a;
            break;
          case Op.movnez:
            if (b !== 0) x[d] = a;
            break;
          case Op.movltz:
            if (b < 0) x[d] = a;
            break;
          case Op.movgez:
            if (b >= 0) x[d] = a;
            break;
          case Op.min:
            x[d] = Math.min(a, b);
            break;
          case Op.max:
            x[d] = Math.max(a, b);
            break;
          case Op.minu:
            x[d] = a >>> 0 < b >>> 0 ? a : b;
            break;
          case Op.maxu:
            x[d] = a >>> 0 > b >>> 0 ? a : b;
            break;
          case Op.sext:
            x[d] = (a << immediate) >> immediate;
            break;
          case Op.clamps:
            x[d] = clamped(a, immediate);
            break;
          case Op.muluh:
            x[d] = multiplyHighUnsigned(a, b);
            break;
          case Op.mulsh:
            x[d] = multiplyHigh(a, b);
            break;
          case Op.ssr:
            special[SPECIAL.sar] = a & 31;
            break;
          case Op.ssl:
            special[SPECIAL.sar] = 32 - (a & 31);
            break;
          case Op.ssa8l:
            special[SPECIAL.sar] = (a & 3) << 3;
            break;
          case Op.ssai:
            special[SPECIAL.sar] = immediate;
            break;
          case Op.sll: {
            const shift = 32 - special[SPECIAL.sar]!;
            x[d] = shift >= 32 || shift < 0 ? 0 : a << shift;
            break;
          }
          case Op.srl: {
            const shift = special[SPECIAL.sar]!;
            x[d] = shift >= 32 ? 0 : b >>> shift;
            break;
          }
          case Op.sra: {
            const shift = special[SPECIAL.sar]!;
            x[d] = b >> (shift >= 32 ? 31 : shift);
            break;
          }
          case Op.src: {
            const shift = special[SPECIAL.sar]!;
            if (shift === 0) x[d] = b;
            else if (shift < 32) x[d] = (a << (32 - shift)) | (b >>> shift);
            else x[d] = shift < 64 ? a >>> (shift - 32) : 0;
            break;
          }
          case Op.nsau:
            x[d] = leadingZeros(a);
            break;
          case Op.nsa:
            x[d] = signBits(a);
            break;
          case Op.nop:
            break;
          case Op.quou:
          case Op.quos:
          case Op.remu:
          case Op.rems:
            x[d] = this.divide(op, a, b);
            break;
          case Op.undecoded:
            this.decodeAt(index);
            continue;
          default:
            // Ran or jumped out of the memory, where there is no table entry.
            if (!(op >= Op.illegal)) throw this.fetchFault(codeAddress + index);
            this.retired = count;
            this.pc = codeAddress + index;
            index = this.rare(op, field, immediate, next);
            count++;
            continue;
        }
        index = next;
        count++;
      }
      this.pc = codeAddress + index;
    } catch (exception) {
      if (!(exception instanceof Exception) || exception.cause !== CAUSE.fetch) this.pc = codeAddress + index;
      throw exception;
    } finally {
      this.retired = count;
    }
  }
}
