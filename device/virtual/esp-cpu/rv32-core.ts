import type { Bus, CoreMemory, RomFunction } from './bus.ts';
import { multiplyHigh, multiplyHighMixed, multiplyHighUnsigned } from './multiply-high.ts';
import { decode, decodeCompressed, Op } from './rv32-decode.ts';
import { Protection, RIGHT } from './rv32-protection.ts';

/** Control registers by number (RISC-V privileged specification 20211203, table 2.5). */
const CSR = {
  mstatus: 0x300,
  misa: 0x301,
  mtvec: 0x305,
  mepc: 0x341,
  mcause: 0x342,
  mtval: 0x343,
  pmpcfg: 0x3a0,
  pmpaddr: 0x3b0,
  minstret: 0xb02,
  minstreth: 0xb82,
} as const;

const CAUSE = {
  fetchFault: 1,
  illegal: 2,
  breakpoint: 3,
  loadMisaligned: 4,
  loadFault: 5,
  storeMisaligned: 6,
  storeFault: 7,
  call: 11,
} as const;

/** An exception on its way from where it happens to where the core takes it. */
class Trap {
  readonly cause: number;
  readonly value: number;
  constructor(cause: number, value: number) {
    this.cause = cause;
    this.value = value;
  }
}

export interface Rv32Options {
  readonly memory: CoreMemory;
  readonly bus: Bus;
  readonly rom?: ReadonlyMap<number, RomFunction>;
  /** Control registers of the chip's own: reads one, or undefined where there is none. */
  readControl?(number: number, retired: number): number | undefined;
  /** False where there is none. */
  writeControl?(number: number, value: number, retired: number): boolean;
}

/** Field of `mstatus` that tells the mode before a trap; there is no other. */
const MACHINE_MODE_BEFORE = 3 << 11;

/** Register that takes what is written to x0. */
const NOWHERE = 32;
const ROM_RETURN = 1;
const FIRST_ARGUMENT = 10;

/** Whatever JavaScript leaves undefined of a division, as RISC-V defines it (unprivileged specification, 7.2). */
function divide(a: number, b: number): number {
  if (b === 0) return -1;
  return (a / b) | 0;
}

function remainder(a: number, b: number): number {
  return b === 0 ? a : (a % b) | 0;
}

function divideUnsigned(a: number, b: number): number {
  return b === 0 ? -1 : ((a >>> 0) / (b >>> 0)) | 0;
}

function remainderUnsigned(a: number, b: number): number {
  return b === 0 ? a : ((a >>> 0) % (b >>> 0)) | 0;
}

/**
 * An RV32IMC core in machine mode (with Zicsr and Zifencei) that takes no interrupts. It decodes each instruction once
 * and counts those that it completes. Misaligned loads and stores trap.
 */
export class Rv32Core {
  /** x0 to x31; the one behind them takes what is written to x0. */
  readonly registers = new Int32Array(33);
  pc = 0;
  /** Instructions completed since the reset. */
  retired = 0;
  readonly protection = new Protection();
  private readonly options: Rv32Options;
  private readonly bytes: Uint8Array;
  private readonly signedBytes: Int8Array;
  private readonly halves: Int16Array;
  private readonly words: Int32Array;
  private readonly ops: Uint8Array;
  /** rd, rs1 and rs2 in six bits each, and the length in halfwords above them. */
  private readonly fields: Int32Array;
  private readonly immediates: Int32Array;
  private readonly control = new Int32Array(4096);
  private open = { from: 0, to: 0 };
  private stopping = false;
  private lastTrapAt = -1;
  private stuck = false;

  constructor(options: Rv32Options) {
    const { bytes } = options.memory;
    this.options = options;
    this.bytes = bytes;
    this.signedBytes = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    this.halves = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length >> 1);
    this.words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
    this.ops = new Uint8Array(bytes.length >> 1);
    this.fields = new Int32Array(bytes.length >> 1);
    this.immediates = new Int32Array(bytes.length >> 1);
    this.reset(options.memory.codeAddress);
  }

  /** Starts at an address, with memory as it is. */
  reset(pc: number): void {
    this.registers.fill(0);
    this.control.fill(0);
    this.protection.reset();
    this.retired = 0;
    this.lastTrapAt = -1;
    this.stuck = false;
    this.pc = pc;
    this.protectionChanged();
  }

  /** Lets `run` return after the instruction that is under way. */
  stop(): void {
    this.stopping = true;
  }

  /** Whether a trap led to a trap, so that the core makes no step any more. */
  get lockedUp(): boolean {
    return this.lastTrapAt === this.retired && this.stuck;
  }

  /** Runs until `limit` instructions were completed or something called `stop`; returns how many were. */
  run(limit: number): number {
    const before = this.retired;
    this.stopping = false;
    while (!this.stopping && this.retired - before < limit) {
      try {
        this.execute(before + limit);
      } catch (trap) {
        if (!(trap instanceof Trap)) throw trap;
        this.enterTrap(trap);
        this.stuck = this.lastTrapAt === this.retired;
        this.lastTrapAt = this.retired;
        if (this.stuck) break;
      }
    }
    return this.retired - before;
  }

  private enterTrap({ cause, value }: Trap): void {
    this.control[CSR.mepc] = this.pc;
    this.control[CSR.mcause] = cause;
    this.control[CSR.mtval] = value;
    this.pc = (this.control[CSR.mtvec]! & ~3) >>> 0;
  }

  private protectionChanged(): void {
    const { dataAddress, bytes } = this.options.memory;
    this.open = this.protection.openPart(dataAddress, bytes.length);
    this.ops.fill(Op.undecoded);
  }

  private decodeAt(index: number): void {
    const address = this.options.memory.codeAddress + 2 * index;
    if (!this.protection.allows(address, RIGHT.execute)) throw this.fetchFault(address);
    const low = this.halves[index]! & 0xffff;
    const whole = (low & 3) === 3;
    const found = whole ? decode((this.halves[index + 1]! << 16) | low) : decodeCompressed(low);
    const rd = found.rd === 0 ? NOWHERE : found.rd;
    this.fields[index] = rd | (found.rs1 << 6) | (found.rs2 << 12) | ((whole ? 2 : 1) << 18);
    this.immediates[index] = found.immediate;
    this.ops[index] = found.op;
  }

  /** Place of an address in the tables of decoded instructions. */
  private indexOf(address: number): number {
    const { codeAddress, bytes } = this.options.memory;
    for (let target = address; ; target = this.outside(target)) {
      const offset = target - codeAddress;
      if (offset >= 0 && offset < bytes.length) return offset >> 1;
    }
  }

  /** Leaves the memory: into a function of the ROM, which returns at once, or into nothing. */
  private outside(address: number): number {
    const call = this.options.rom?.get(address);
    if (!call) throw this.fetchFault(address);
    const { registers } = this;
    registers[FIRST_ARGUMENT] = call((index) => registers[FIRST_ARGUMENT + index]!);
    return registers[ROM_RETURN]! >>> 0;
  }

  private fetchFault(address: number): Trap {
    this.pc = address;
    return new Trap(CAUSE.fetchFault, address);
  }

  private load(address: number, bytes: number): number {
    if (address & (bytes - 1)) throw new Trap(CAUSE.loadMisaligned, address);
    const value = this.protection.allows(address, RIGHT.read) ? this.loadAllowed(address, bytes) : undefined;
    if (value === undefined) throw new Trap(CAUSE.loadFault, address);
    return value;
  }

  private loadAllowed(address: number, bytes: number): number | undefined {
    const offset = address - this.options.memory.dataAddress;
    if (offset < 0 || offset >= this.bytes.length) return this.options.bus.load(address, bytes);
    if (bytes === 1) return this.bytes[offset];
    return bytes === 2 ? this.halves[offset >> 1]! & 0xffff : this.words[offset >> 2];
  }

  private store(address: number, bytes: number, value: number): void {
    if (address & (bytes - 1)) throw new Trap(CAUSE.storeMisaligned, address);
    if (!this.protection.allows(address, RIGHT.write) || !this.storeAllowed(address, bytes, value))
      throw new Trap(CAUSE.storeFault, address);
  }

  private storeAllowed(address: number, bytes: number, value: number): boolean {
    const offset = address - this.options.memory.dataAddress;
    if (offset < 0 || offset >= this.bytes.length) return this.options.bus.store(address, bytes, value);
    if (bytes === 1) this.bytes[offset] = value;
    else if (bytes === 2) this.halves[offset >> 1] = value;
    else this.words[offset >> 2] = value;
    return true;
  }

  private readControl(number: number): number {
    const { retired } = this;
    if (number === CSR.misa) return 0x40001104;
    if (number === CSR.mstatus) return this.control[number]! | MACHINE_MODE_BEFORE;
    if (number >= CSR.pmpcfg && number < CSR.pmpcfg + 4)
      return this.protection.readConfig(number - CSR.pmpcfg);
    if (number >= CSR.pmpaddr && number < CSR.pmpaddr + 16)
      return this.protection.readEnd(number - CSR.pmpaddr);
    const own = this.options.readControl?.(number, retired);
    if (own !== undefined) return own | 0;
    if (number === CSR.minstret) return retired | 0;
    if (number === CSR.minstreth) return (retired / 4294967296) | 0;
    if (number >> 8 !== 3 && number >> 8 !== 0xf) throw new Trap(CAUSE.illegal, 0);
    return this.control[number]!;
  }

  private writeControl(number: number, value: number): void {
    if (number >= CSR.pmpcfg && number < CSR.pmpcfg + 4) {
      this.protection.writeConfig(number - CSR.pmpcfg, value);
      this.protectionChanged();
    } else if (number >= CSR.pmpaddr && number < CSR.pmpaddr + 16) {
      this.protection.writeEnd(number - CSR.pmpaddr, value);
      this.protectionChanged();
    } else if (!this.options.writeControl?.(number, value, this.retired)) {
      if (number >> 8 !== 3) throw new Trap(CAUSE.illegal, 0);
      this.control[number] = value;
    }
  }

  /** The six instructions on control registers; returns what goes to rd. */
  private controlInstruction(op: number, rd: number, source: number, number: number): number {
    const immediate = op >= Op.csrrwi;
    const value = immediate ? source : this.registers[source]!;
    const kind = immediate ? op - Op.csrrwi : op - Op.csrrw;
    const before = kind === 0 && rd === NOWHERE ? 0 : this.readControl(number);
    if (kind === 0) this.writeControl(number, value);
    else if (source !== 0) this.writeControl(number, kind === 1 ? before | value : before & ~value);
    return before;
  }

  /** The rare ones; returns where to go on. */
  private systemInstruction(op: number, next: number): number {
    if (op === Op.mret) return this.control[CSR.mepc]! >>> 0;
    if (op === Op.ecall) throw new Trap(CAUSE.call, 0);
    if (op === Op.ebreak) throw new Trap(CAUSE.breakpoint, this.pc);
    if (op === Op.wfi) this.stopping = true;
    else if (op === Op.fenceI) this.ops.fill(Op.undecoded);
    return next;
  }

  /** One function holds the loop and all that is frequent: calls from it would cost more than what they do. */
  private execute(until: number): void {
    const { registers: x, ops, fields, immediates, bytes, signedBytes, halves, words } = this;
    const { dataAddress, codeAddress } = this.options.memory;
    const size = bytes.length;
    let { from, to } = this.open;
    let index = 0;
    let count = this.retired;
    try {
      index = this.indexOf(this.pc);
      while (count < until && !this.stopping) {
        const op = ops[index]!;
        const field = fields[index]!;
        const immediate = immediates[index]!;
        const rd = field & 63;
        const a = x[(field >> 6) & 63]!;
        const b = x[(field >> 12) & 63]!;
        const next = index + (field >> 18);
        switch (op) {
          case Op.addi:
            x[rd] = a + immediate;
            break;
          case Op.lw: {
            const address = (a + immediate) >>> 0;
            const offset = address - dataAddress;
            if (offset >= from && offset < to && (offset & 3) === 0) x[rd] = words[offset >> 2]!;
            else {
              this.retired = count;
              x[rd] = this.load(address, 4);
            }
            break;
          }
          case Op.sw: {
            const address = (a + immediate) >>> 0;
            const offset = address - dataAddress;
            if (offset >= from && offset < to && (offset & 3) === 0) words[offset >> 2] = b;
            else {
              this.retired = count;
              this.store(address, 4, b);
            }
            break;
          }
          case Op.add:
            x[rd] = a + b;
            break;
          case Op.mul:
            x[rd] = Math.imul(a, b);
            break;
          case Op.lb: {
            const address = (a + immediate) >>> 0;
            const offset = address - dataAddress;
            if (offset >= from && offset < to) x[rd] = signedBytes[offset]!;
            else {
              this.retired = count;
              x[rd] = (this.load(address, 1) << 24) >> 24;
            }
            break;
          }
          case Op.lbu: {
            const address = (a + immediate) >>> 0;
            const offset = address - dataAddress;
            if (offset >= from && offset < to) x[rd] = bytes[offset]!;
            else {
              this.retired = count;
              x[rd] = this.load(address, 1);
            }
            break;
          }
          case Op.lh: {
            const address = (a + immediate) >>> 0;
            const offset = address - dataAddress;
            if (offset >= from && offset < to && (offset & 1) === 0) x[rd] = halves[offset >> 1]!;
            else {
              this.retired = count;
              x[rd] = (this.load(address, 2) << 16) >> 16;
            }
            break;
          }
          case Op.lhu: {
            const address = (a + immediate) >>> 0;
            const offset = address - dataAddress;
            if (offset >= from && offset < to && (offset & 1) === 0) x[rd] = halves[offset >> 1]! & 0xffff;
            else {
              this.retired = count;
              x[rd] = this.load(address, 2);
            }
            break;
          }
          case Op.sb: {
            const address = (a + immediate) >>> 0;
            const offset = address - dataAddress;
            if (offset >= from && offset < to) bytes[offset] = b;
            else {
              this.retired = count;
              this.store(address, 1, b);
            }
            break;
          }
          case Op.sh: {
            const address = (a + immediate) >>> 0;
            const offset = address - dataAddress;
            if (offset >= from && offset < to && (offset & 1) === 0) halves[offset >> 1] = b;
            else {
              this.retired = count;
              this.store(address, 2, b);
            }
            break;
          }
          case Op.beq:
            index = a === b ? index + (immediate >> 1) : next;
            count++;
            continue;
          case Op.bne:
            index = a !== b ? index + (immediate >> 1) : next;
            count++;
            continue;
          case Op.blt:
            index = a < b ? index + (immediate >> 1) : next;
            count++;
            continue;
          case Op.bge:
            index = a >= b ? index + (immediate >> 1) : next;
            count++;
            continue;
          case Op.bltu:
            index = a >>> 0 < b >>> 0 ? index + (immediate >> 1) : next;
            count++;
            continue;
          case Op.bgeu:
            index = a >>> 0 >= b >>> 0 ? index + (immediate >> 1) : next;
            count++;
            continue;
          case Op.jal:
            x[rd] = codeAddress + 2 * next;
            index += immediate >> 1;
            count++;
            continue;
          case Op.jalr: {
            const target = ((a + immediate) & ~1) >>> 0;
            x[rd] = codeAddress + 2 * next;
            count++;
            const offset = target - codeAddress;
            if (offset >= 0 && offset < size) index = offset >> 1;
            else {
              this.retired = count;
              this.pc = target;
              index = this.indexOf(target);
            }
            continue;
          }
          case Op.slli:
            x[rd] = a << immediate;
            break;
          case Op.srli:
            x[rd] = a >>> immediate;
            break;
          case Op.srai:
            x[rd] = a >> immediate;
            break;
          case Op.andi:
            x[rd] = a & immediate;
            break;
          case Op.ori:
            x[rd] = a | immediate;
            break;
          case Op.xori:
            x[rd] = a ^ immediate;
            break;
          case Op.slti:
            x[rd] = a < immediate ? 1 : 0;
            break;
          case Op.sltiu:
            x[rd] = a >>> 0 < immediate >>> 0 ? 1 : 0;
            break;
          case Op.sub:
            x[rd] = a - b;
            break;
          case Op.sll:
            x[rd] = a << (b & 31);
            break;
          case Op.slt:
            x[rd] = a < b ? 1 : 0;
            break;
          case Op.sltu:
            x[rd] = a >>> 0 < b >>> 0 ? 1 : 0;
            break;
          case Op.xor:
            x[rd] = a ^ b;
            break;
          case Op.srl:
            x[rd] = a >>> (b & 31);
            break;
          case Op.sra:
            x[rd] = a >> (b & 31);
            break;
          case Op.or:
            x[rd] = a | b;
            break;
          case Op.and:
            x[rd] = a & b;
            break;
          case Op.lui:
            x[rd] = immediate;
            break;
          case Op.auipc:
            x[rd] = codeAddress + 2 * index + immediate;
            break;
          case Op.mulh:
            x[rd] = multiplyHigh(a, b);
            break;
          case Op.mulhu:
            x[rd] = multiplyHighUnsigned(a, b);
            break;
          case Op.mulhsu:
            x[rd] = multiplyHighMixed(a, b);
            break;
          case Op.div:
            x[rd] = divide(a, b);
            break;
          case Op.divu:
            x[rd] = divideUnsigned(a, b);
            break;
          case Op.rem:
            x[rd] = remainder(a, b);
            break;
          case Op.remu:
            x[rd] = remainderUnsigned(a, b);
            break;
          case Op.fence:
            break;
          case Op.undecoded:
            this.decodeAt(index);
            continue;
          case Op.illegal:
            throw new Trap(CAUSE.illegal, 0);
          case Op.fenceI:
          case Op.ecall:
          case Op.ebreak:
          case Op.mret:
          case Op.wfi:
            this.pc = codeAddress + 2 * index;
            index = this.indexOf(this.systemInstruction(op, codeAddress + 2 * next));
            count++;
            continue;
          default:
            // Ran or branched out of the memory, where there is no table entry either.
            if (!(op >= Op.csrrw)) throw this.fetchFault(codeAddress + 2 * index);
            this.retired = count;
            x[rd] = this.controlInstruction(op, rd, (field >> 6) & 63, immediate & 0xfff);
            ({ from, to } = this.open);
        }
        index = next;
        count++;
      }
      this.pc = codeAddress + 2 * index;
    } catch (trap) {
      if (!(trap instanceof Trap) || trap.cause !== CAUSE.fetchFault) this.pc = codeAddress + 2 * index;
      throw trap;
    } finally {
      this.retired = count;
    }
  }
}
